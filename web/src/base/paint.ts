//! After the next frame is on the screen.

/** A page that nobody looks at gets no frames: then it is no use to wait for one longer than this. */
const LONGEST_MS = 200;

/** Calls back once what has changed by now is painted, or could not be seen anyway. */
export function painted(then: () => void): void {
  let told = false;
  const tell = () => {
    if (told) return;
    told = true;
    then();
  };
  requestAnimationFrame(() => setTimeout(tell));
  setTimeout(tell, LONGEST_MS);
}
