/**
 * The format of a tree page: 4 KiB of little-endian 32-bit words.
 *
 *   byte  size  field
 *      0     4  crc32c of the page, with this field taken as zero
 *      4     4  magic "RZPG"
 *      8     4  number of this page (a misdirected write shows)
 *     12     2  level: 0 for a leaf, one more than its children for others
 *     14     2  count of slots
 *     16     8  birth: the epoch in which the page was made
 *     24     4  leaf: byte offset of the lowest value; branch: 0
 *     28     4  leaf: bytes of values above that offset that no slot uses; branch: 0
 *     32        slots, in key order
 *
 *   leaf slot, 20 bytes                         branch slot, 24 bytes
 *      0    16  key (see key.ts)                   0    16  least key of the child's range; all zero in slot 0,
 *     16     2  byte offset of the value                    whose range begins where the page's own does
 *     18     2  byte length of the value          16     4  page number of the child
 *                                                 20     4  low half of the child's birth (a lost write shows)
 *
 * Values grow down from the end of a leaf, each padded to a multiple of 4 bytes, so that they can be read as words.
 *
 * A sealed page (one of an epoch that has been checkpointed) is valid if and only if its checksum, magic, number and birth
 * are right and `pageProblem` finds nothing. The checksum is filled in when the page is sealed; before that it is meaningless.
 */
import { PAGE_SIZE } from '../store/geometry.js';
import { KEY_WORDS } from './key.js';

export const PAGE_WORDS = PAGE_SIZE / 4;
export const PAGE_MAGIC = 0x4750_5a52; // "RZPG"
export const PAGE_CHECKSUM_BYTE = 0;

export const WORD_MAGIC = 1;
export const WORD_NUMBER = 2;
export const WORD_LEVEL_COUNT = 3;
export const WORD_BIRTH = 4;
export const WORD_VALUES_START = 6;
export const WORD_GARBAGE = 7;
export const HEADER_WORDS = 8;
export const HEADER_BYTES = HEADER_WORDS * 4;

export const LEAF_SLOT_WORDS = KEY_WORDS + 1;
export const LEAF_SLOT_BYTES = LEAF_SLOT_WORDS * 4;
export const BRANCH_SLOT_WORDS = KEY_WORDS + 2;
export const BRANCH_SLOT_BYTES = BRANCH_SLOT_WORDS * 4;

/** Space for slots and values in a leaf, in bytes. */
export const LEAF_CAPACITY = PAGE_SIZE - HEADER_BYTES;
export const BRANCH_CAPACITY = Math.floor((PAGE_SIZE - HEADER_BYTES) / BRANCH_SLOT_BYTES);
/** The longest value of an item: four fit a leaf, so that splitting always succeeds. */
export const VALUE_LENGTH_MAX = 512;
/** More levels than 2^32 pages can have. */
export const LEVEL_MAX = 15;

if (HEADER_BYTES !== 32 || LEAF_SLOT_BYTES !== 20 || BRANCH_SLOT_BYTES !== 24 || BRANCH_CAPACITY !== 169) {
  throw new Error('tree page layout changed');
}

export const levelOf = (words: Uint32Array, base: number): number => words[base + WORD_LEVEL_COUNT] & 0xffff;
export const countOf = (words: Uint32Array, base: number): number => words[base + WORD_LEVEL_COUNT] >>> 16;

export function setLevelAndCount(words: Uint32Array, base: number, level: number, count: number): void {
  words[base + WORD_LEVEL_COUNT] = ((count << 16) | level) >>> 0;
}

export const birthOf = (words: Uint32Array, base: number): number =>
  words[base + WORD_BIRTH + 1] * 0x1_0000_0000 + words[base + WORD_BIRTH];

export const padded = (length: number): number => (length + 3) & ~3;

/** Word index of a leaf slot, and of a branch slot. */
export const leafSlot = (base: number, index: number): number => base + HEADER_WORDS + index * LEAF_SLOT_WORDS;
export const branchSlot = (base: number, index: number): number => base + HEADER_WORDS + index * BRANCH_SLOT_WORDS;

/** Value bytes and slots in use in a leaf. */
export function leafUsed(words: Uint32Array, base: number): number {
  const values = PAGE_SIZE - words[base + WORD_VALUES_START] - words[base + WORD_GARBAGE];
  return countOf(words, base) * LEAF_SLOT_BYTES + values;
}

/** Makes an empty page of it. */
export function initializePage(words: Uint32Array, base: number, page: number, level: number, birth: number): void {
  words.fill(0, base, base + HEADER_WORDS);
  words[base + WORD_MAGIC] = PAGE_MAGIC;
  words[base + WORD_NUMBER] = page;
  setLevelAndCount(words, base, level, 0);
  setBirth(words, base, birth);
  words[base + WORD_VALUES_START] = level === 0 ? PAGE_SIZE : 0;
}

export function setBirth(words: Uint32Array, base: number, birth: number): void {
  words[base + WORD_BIRTH] = birth >>> 0;
  words[base + WORD_BIRTH + 1] = Math.floor(birth / 0x1_0000_0000);
}

function isKeyOrdered(words: Uint32Array, before: number, after: number): boolean {
  for (let i = 0; i < KEY_WORDS; i++) {
    if (words[before + i] !== words[after + i]) return words[before + i] < words[after + i];
  }
  return false;
}

function leafProblem(words: Uint32Array, base: number, count: number): string | undefined {
  const valuesStart = words[base + WORD_VALUES_START];
  if (valuesStart > PAGE_SIZE || valuesStart < HEADER_BYTES + count * LEAF_SLOT_BYTES || valuesStart % 4 !== 0) {
    return `values start at byte ${valuesStart} with ${count} slots`;
  }
  let used = 0;
  for (let i = 0; i < count; i++) {
    const slot = leafSlot(base, i);
    if (i > 0 && !isKeyOrdered(words, slot - LEAF_SLOT_WORDS, slot)) return `slots ${i - 1} and ${i} are out of order`;
    const place = words[slot + KEY_WORDS];
    const offset = place & 0xffff;
    const length = place >>> 16;
    // Where a value without bytes is does not matter.
    if (length === 0) continue;
    if (length > VALUE_LENGTH_MAX || offset < valuesStart || offset % 4 !== 0 || offset + length > PAGE_SIZE) {
      return `slot ${i} has its value at bytes ${offset} to ${offset + length}`;
    }
    used += padded(length);
  }
  if (used + words[base + WORD_GARBAGE] !== PAGE_SIZE - valuesStart) return 'the space of its values does not add up';
  return undefined;
}

function branchProblem(words: Uint32Array, base: number, count: number): string | undefined {
  if (count < 1 || count > BRANCH_CAPACITY) return `a branch with ${count} slots`;
  const first = branchSlot(base, 0);
  for (let i = 0; i < KEY_WORDS; i++) if (words[first + i] !== 0) return 'slot 0 of a branch has a key';
  for (let i = 0; i < count; i++) {
    const slot = branchSlot(base, i);
    if (i > 0 && !isKeyOrdered(words, slot - BRANCH_SLOT_WORDS, slot))
      return `slots ${i - 1} and ${i} are out of order`;
    if (words[slot + KEY_WORDS] === 0) return `slot ${i} points to page 0`;
  }
  return undefined;
}

/** What is wrong with the inside of a page whose checksum is right; undefined when nothing is. */
export function pageProblem(words: Uint32Array, base: number, page: number): string | undefined {
  if (words[base + WORD_MAGIC] !== PAGE_MAGIC) return 'not a tree page';
  if (words[base + WORD_NUMBER] !== page) return `written for page ${words[base + WORD_NUMBER]}`;
  const level = levelOf(words, base);
  const count = countOf(words, base);
  if (level > LEVEL_MAX) return `level ${level}`;
  if (level === 0) {
    if (count > LEAF_CAPACITY / LEAF_SLOT_BYTES) return `a leaf with ${count} slots`;
    return leafProblem(words, base, count);
  }
  return branchProblem(words, base, count);
}
