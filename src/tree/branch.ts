/**
 * Changes to the inside of one branch page: its slots of (least key, child, child's birth). Format: page.ts.
 */
import { KEY_WORDS } from './key.js';
import { BRANCH_CAPACITY, BRANCH_SLOT_WORDS, branchSlot, countOf, levelOf, setLevelAndCount } from './page.js';

/** A key as words, and the child that it leads to. */
export interface Separator {
  readonly key: Uint32Array;
  readonly child: number;
  readonly birth: number;
}

export const isBranchFull = (words: Uint32Array, base: number): boolean => countOf(words, base) === BRANCH_CAPACITY;

export function pointSlotTo(words: Uint32Array, slot: number, child: number, birth: number): void {
  words[slot + KEY_WORDS] = child;
  words[slot + KEY_WORDS + 1] = birth >>> 0;
}

/** Puts a slot at `index`; in slot 0 the key is stored as zeros. The branch must not be full. */
export function insertIntoBranch(words: Uint32Array, base: number, index: number, separator: Separator): void {
  const count = countOf(words, base);
  const slot = branchSlot(base, index);
  words.copyWithin(slot + BRANCH_SLOT_WORDS, slot, branchSlot(base, count));
  if (index === 0) words.fill(0, slot, slot + KEY_WORDS);
  else words.set(separator.key, slot);
  pointSlotTo(words, slot, separator.child, separator.birth);
  setLevelAndCount(words, base, levelOf(words, base), count + 1);
}

/** Takes the slot at `index` out. The slot that comes to stand first loses its key. */
export function removeFromBranch(words: Uint32Array, base: number, index: number): void {
  const count = countOf(words, base);
  const slot = branchSlot(base, index);
  words.copyWithin(slot, slot + BRANCH_SLOT_WORDS, branchSlot(base, count));
  setLevelAndCount(words, base, levelOf(words, base), count - 1);
  if (index === 0) words.fill(0, slot, slot + KEY_WORDS);
}

/**
 * Moves the slots from `begin` on to the end of another branch. `firstKey` is the key that the first of them has there, unless
 * it comes to stand in slot 0.
 */
export function moveSlots(
  from: Uint32Array,
  fromBase: number,
  begin: number,
  to: Uint32Array,
  toBase: number,
  firstKey: Uint32Array,
): void {
  const end = countOf(from, fromBase);
  const toCount = countOf(to, toBase);
  const target = branchSlot(toBase, toCount);
  to.set(from.subarray(branchSlot(fromBase, begin), branchSlot(fromBase, end)), target);
  if (toCount === 0) to.fill(0, target, target + KEY_WORDS);
  else to.set(firstKey, target);
  setLevelAndCount(to, toBase, levelOf(to, toBase), toCount + end - begin);
  setLevelAndCount(from, fromBase, levelOf(from, fromBase), begin);
}
