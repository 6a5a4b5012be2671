//! The few line pictures of the menus, drawn for this app on a 24-unit grid.

const PATHS = {
  play: 'M7 3.500h7a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-13a2 2 0 0 1 2-2zM16 6.500l2.600.900a2 2 0 0 1 1.200 2.500l-3.200 9',
  chat: 'M4 5.500h16v11H11l-4.500 3.500v-3.500H4z',
  me: 'M12 11.500a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20.500a7.500 7.500 0 0 1 15 0',
  help: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.500 9.500a2.500 2.500 0 1 1 3.700 2.200c-.8.450-1.200 1-1.200 1.800M12 16.900v.2',
  back: 'M14.500 5.500 8 12l6.500 6.500',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
