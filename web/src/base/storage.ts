//! What the phone remembers. Storage may be full, forbidden or cleared at any time, so nothing here may throw and
//! nothing may depend on what was written being there later.

function area(kind: 'local' | 'session'): Storage | null {
  try {
    return kind === 'local' ? localStorage : sessionStorage;
  } catch {
    return null;
  }
}

/** Reads JSON, or null when it is missing or not JSON. */
export function recall<T>(key: string, kind: 'local' | 'session' = 'local'): T | null {
  try {
    const text = area(kind)?.getItem(key);
    return text ? (JSON.parse(text) as T) : null;
  } catch {
    return null;
  }
}

/** Writes JSON; null forgets. */
export function remember(key: string, value: unknown, kind: 'local' | 'session' = 'local'): void {
  try {
    if (value === null) area(kind)?.removeItem(key);
    else area(kind)?.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden storage costs comfort, never correctness.
  }
}
