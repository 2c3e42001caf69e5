/**
 * Keys of the tree.
 *
 * A key is (inode, kind, minor): 64, 8 and 56 bits, compared in that order, as four unsigned 32-bit words:
 *
 *   word 0   inode, high half
 *   word 1   inode, low half
 *   word 2   kind (8 bits) above the high 24 bits of minor
 *   word 3   minor, low half
 *
 * `minor` is a name hash, a number of another inode, or 0; it stays below 2^53, where JavaScript numbers are exact.
 */

export const KEY_WORDS = 4;
export const MINOR_MAX = Number.MAX_SAFE_INTEGER;

const WORD = 0x1_0000_0000;

export const highWord = (value: number): number => Math.floor(value / WORD) >>> 0;
export const lowWord = (value: number): number => value >>> 0;
export const joinWords = (high: number, low: number): number => high * WORD + low;

export const keyWord2 = (kind: number, minor: number): number => ((kind << 24) | highWord(minor)) >>> 0;

/** Compares the key at `words[at…]` with a key given as words: negative, zero or positive, as memcmp. */
export function compareKey(words: Uint32Array, at: number, k0: number, k1: number, k2: number, k3: number): number {
  const d0 = words[at] - k0;
  if (d0 !== 0) return d0;
  const d1 = words[at + 1] - k1;
  if (d1 !== 0) return d1;
  const d2 = words[at + 2] - k2;
  if (d2 !== 0) return d2;
  return words[at + 3] - k3;
}
