/**
 * Changes to the inside of one leaf page: finding, making and removing slots, and the space of values. Format: page.ts.
 */
import { PAGE_SIZE } from '../store/geometry.js';
import { KEY_WORDS } from './key.js';
import {
  countOf,
  HEADER_BYTES,
  LEAF_SLOT_BYTES,
  LEAF_SLOT_WORDS,
  leafSlot,
  PAGE_WORDS,
  padded,
  setLevelAndCount,
  WORD_GARBAGE,
  WORD_VALUES_START,
} from './page.js';

/** Scratch for compaction: the leaf as it was. */
const scratch = new Uint32Array(PAGE_WORDS);

/** Bytes between the slots and the values. */
function contiguousFree(words: Uint32Array, base: number): number {
  return words[base + WORD_VALUES_START] - HEADER_BYTES - countOf(words, base) * LEAF_SLOT_BYTES;
}

/** Whether an item with a value of `length` bytes fits, after compaction if need be. */
export function leafHasRoom(words: Uint32Array, base: number, length: number): boolean {
  return contiguousFree(words, base) + words[base + WORD_GARBAGE] >= LEAF_SLOT_BYTES + padded(length);
}

/** Moves all values together, so that the free space is in one piece. */
function compact(words: Uint32Array, base: number): void {
  scratch.set(words.subarray(base, base + PAGE_WORDS));
  let start = PAGE_SIZE;
  const count = countOf(words, base);
  for (let index = 0; index < count; index++) {
    const placeWord = leafSlot(base, index) + KEY_WORDS;
    const place = words[placeWord];
    const length = place >>> 16;
    start -= padded(length);
    const from = (place & 0xffff) >>> 2;
    const to = base + (start >>> 2);
    for (let i = 0; i < padded(length) >>> 2; i++) words[to + i] = scratch[from + i];
    words[placeWord] = ((length << 16) | start) >>> 0;
  }
  words[base + WORD_VALUES_START] = start;
  words[base + WORD_GARBAGE] = 0;
}

/** Opens a slot at `index` with room for a value, zeroed. The leaf must have room (`leafHasRoom`). */
export function insertIntoLeaf(
  words: Uint32Array,
  base: number,
  index: number,
  k0: number,
  k1: number,
  k2: number,
  k3: number,
  length: number,
): void {
  const space = padded(length);
  if (contiguousFree(words, base) < LEAF_SLOT_BYTES + space) compact(words, base);
  const count = countOf(words, base);
  const slot = leafSlot(base, index);
  words.copyWithin(slot + LEAF_SLOT_WORDS, slot, leafSlot(base, count));
  const start = words[base + WORD_VALUES_START] - space;
  words[base + WORD_VALUES_START] = start;
  words[slot] = k0;
  words[slot + 1] = k1;
  words[slot + 2] = k2;
  words[slot + 3] = k3;
  words[slot + KEY_WORDS] = ((length << 16) | start) >>> 0;
  words.fill(0, base + (start >>> 2), base + ((start + space) >>> 2));
  setLevelAndCount(words, base, 0, count + 1);
}

/** Closes the slot at `index`; the space of its value becomes garbage, or free when it was the lowest. */
export function removeFromLeaf(words: Uint32Array, base: number, index: number): void {
  const count = countOf(words, base);
  const slot = leafSlot(base, index);
  const place = words[slot + KEY_WORDS];
  const space = padded(place >>> 16);
  if ((place & 0xffff) === words[base + WORD_VALUES_START]) words[base + WORD_VALUES_START] += space;
  else words[base + WORD_GARBAGE] += space;
  words.copyWithin(slot, slot + LEAF_SLOT_WORDS, leafSlot(base, count));
  setLevelAndCount(words, base, 0, count - 1);
}

/** Appends the slots `begin` to `end` of one leaf to another that has room for them. */
export function appendSlots(
  from: Uint32Array,
  fromBase: number,
  begin: number,
  end: number,
  to: Uint32Array,
  toBase: number,
): void {
  for (let index = begin; index < end; index++) {
    const slot = leafSlot(fromBase, index);
    const place = from[slot + KEY_WORDS];
    const length = place >>> 16;
    insertIntoLeaf(to, toBase, countOf(to, toBase), from[slot], from[slot + 1], from[slot + 2], from[slot + 3], length);
    const source = fromBase + ((place & 0xffff) >>> 2);
    const target = toBase + (to[toBase + WORD_VALUES_START] >>> 2);
    for (let i = 0; i < padded(length) >>> 2; i++) to[target + i] = from[source + i];
  }
}

/** Drops the slots from `begin` on. */
export function truncateLeaf(words: Uint32Array, base: number, begin: number): void {
  const count = countOf(words, base);
  for (let index = begin; index < count; index++) {
    words[base + WORD_GARBAGE] += padded(words[leafSlot(base, index) + KEY_WORDS] >>> 16);
  }
  setLevelAndCount(words, base, 0, begin);
  compact(words, base);
}
