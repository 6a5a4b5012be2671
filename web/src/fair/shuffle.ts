//! The shuffle of the rules (whot-rules 4): the ChaCha20 keystream of RFC 8439, and the deal that follows from it.

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

function quarter(s: Uint32Array, a: number, b: number, c: number, d: number): void {
  const step = (x: number, y: number, z: number, by: number) => {
    s[x] = (s[x] ?? 0) + (s[y] ?? 0);
    s[z] = rotate((s[z] ?? 0) ^ (s[x] ?? 0), by);
  };
  step(a, b, d, 16);
  step(c, d, b, 12);
  step(a, b, d, 8);
  step(c, d, b, 7);
}

function block(seed: Uint8Array, stream: number, counter: number): Uint8Array {
  const key = new DataView(seed.buffer, seed.byteOffset, 32);
  const words = Array.from({ length: 8 }, (_, i) => key.getUint32(i * 4, true));
  const start = Uint32Array.from([...CONSTANTS, ...words, counter, stream, 0, 0]);
  const s = Uint32Array.from(start);
  for (let i = 0; i < 10; i += 1) {
    for (const column of [0, 1, 2, 3]) quarter(s, column, column + 4, column + 8, column + 12);
    for (const [a, b, c, d] of [
      [0, 5, 10, 15],
      [1, 6, 11, 12],
      [2, 7, 8, 13],
      [3, 4, 9, 14],
    ] as const)
      quarter(s, a, b, c, d);
  }
  const out = new DataView(new ArrayBuffer(64));
  for (const [i, word] of s.entries()) out.setUint32(i * 4, (word + (start[i] ?? 0)) >>> 0, true);
  return new Uint8Array(out.buffer);
}

/** `shuffle(list, k)` of whot-rules 4.3. */
export function shuffle(seed: Uint8Array, list: readonly number[], stream: number): number[] {
  const cards = [...list];
  let [bytes, used, counter] = [new Uint8Array() as Uint8Array, 0, 0];
  const next = (): number => {
    if (used === bytes.length) [bytes, used, counter] = [block(seed, stream, counter), 0, counter + 1];
    used += 1;
    return bytes[used - 1] ?? 0;
  };
  const below = (n: number): number => {
    const limit = 256 - (256 % n);
    for (;;) {
      const byte = next();
      if (byte < limit) return byte % n;
    }
  };
  for (let i = cards.length - 1; i > 0; i -= 1) {
    const j = below(i + 1);
    [cards[i], cards[j]] = [cards[j] ?? 0, cards[i] ?? 0];
  }
  return cards;
}
