//! The few line pictures of the menus, drawn for this app on a 24-unit grid.

const PATHS = {
  play: 'M7 3.500h7a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-13a2 2 0 0 1 2-2zM16 6.500l2.600.900a2 2 0 0 1 1.200 2.500l-3.200 9',
  chat: 'M4 5.500h16v11H11l-4.500 3.500v-3.500H4z',
  me: 'M12 11.500a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20.500a7.500 7.500 0 0 1 15 0',
  help: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.500 9.500a2.500 2.500 0 1 1 3.700 2.200c-.8.450-1.200 1-1.200 1.800M12 16.900v.2',
  back: 'M14.500 5.500 8 12l6.500 6.500',
  home: 'M4 11.500 12 4.500l8 7M6.500 9.500v10h11v-10M10 19.500v-5h4v5',
  invite: 'M4 6.500h16v11H4zM4 7l8 6 8-6',
  people:
    'M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 20a6.500 6.500 0 0 1 13 0M16 11.300a3.500 3.500 0 0 0 0-6.600M18 14.500a6.500 6.500 0 0 1 3.500 5.500',
  sync: 'M19.500 9A8 8 0 0 0 5 7.500M4.500 3.500v4.500H9M4.500 15A8 8 0 0 0 19 16.500M19.500 20.500V16H15',
  hold: 'M7 10.500h10v9H7zM9 10.500v-3a3 3 0 0 1 6 0v3',
  audit: 'M6 3.500h9l3.500 3.500v13.500H6zM9 10.500h6.500M9 14h6.500M9 17h4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
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
