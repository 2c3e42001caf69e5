/**
 * The n-ary tree: a copy-on-write B+ tree from keys (key.ts) to values of up to 512 bytes.
 *
 * A position is a place in the tree, held in the tree object itself so that nothing is allocated: `find`, `seek`, `next`,
 * `insert` and `modify` set it, and `words`, `valueWord` and `valueLength` then show the value. Any change of the tree by
 * another call makes a position invalid; only after `insert` and `modify` may the value be written.
 *
 * Every change is made to pages of the current epoch (page-store.ts); the caller reserves pages beforehand, so that no change
 * fails half-way. `PAGES_PER_CHANGE` bounds what one insert, modify or remove can take.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asPageNumber, type PageNumber } from '../store/units.js';
import { insertIntoBranch, isBranchFull, moveSlots, pointSlotTo, removeFromBranch, type Separator } from './branch.js';
import { compareKey, highWord, joinWords, KEY_WORDS, keyWord2, lowWord } from './key.js';
import { appendSlots, insertIntoLeaf, leafHasRoom, removeFromLeaf, truncateLeaf } from './leaf.js';
import {
  BRANCH_CAPACITY,
  branchSlot,
  countOf,
  LEAF_CAPACITY,
  LEAF_SLOT_BYTES,
  LEVEL_MAX,
  leafSlot,
  leafUsed,
  levelOf,
  padded,
  VALUE_LENGTH_MAX,
  WORD_BIRTH,
} from './page.js';
import type { PageStore } from './page-store.js';

/** No single change takes more new pages: a copy, a split or merge at each level, and a new root. */
export const PAGES_PER_CHANGE = 3 * 6 + 1;

export class Tree {
  readonly #pages: PageStore;
  #root: PageNumber;
  /** The path to the position: pages and slots from the root (index 0) to the leaf (index #depth). */
  readonly #path: PageNumber[] = new Array<PageNumber>(LEVEL_MAX + 1).fill(asPageNumber(0));
  readonly #slots: number[] = new Array<number>(LEVEL_MAX + 1).fill(0);
  #depth = 0;

  /** The words of the segment in which the value at the position lies. */
  words: Uint32Array = new Uint32Array(0);
  /** Word index of the value in `words`. */
  valueWord = 0;
  /** Bytes. */
  valueLength = 0;
  /** Counts how often the position was set anew: while it stays the same, the position does. */
  moves = 0;

  constructor(pages: PageStore, root: PageNumber) {
    this.#pages = pages;
    this.#root = root;
  }

  /** Makes an empty tree; one page must be reserved. */
  static create(pages: PageStore): Tree {
    return new Tree(pages, pages.allocate(0));
  }

  get root(): PageNumber {
    return this.#root;
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sets the position to the item with this key; false when there is none. */
  find(object: number, kind: number, minor: number): boolean {
    if (!this.#descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor))) return false;
    this.#showValue();
    return true;
  }

  /** Sets the position to the first item whose key is not less; false when there is none. */
  seek(object: number, kind: number, minor: number): boolean {
    this.#descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor));
    return this.#settle();
  }

  /** Moves the position to the next item; false at the end. */
  next(): boolean {
    this.#slots[this.#depth]++;
    return this.#settle();
  }

  /** The key at the position, in its parts. */
  get object(): number {
    const slot = this.#leafSlot();
    return joinWords(this.words[slot], this.words[slot + 1]);
  }
  get kind(): number {
    return this.words[this.#leafSlot() + 2] >>> 24;
  }
  get minor(): number {
    const slot = this.#leafSlot();
    return joinWords(this.words[slot + 2] & 0xff_ffff, this.words[slot + 3]);
  }

  /** Whether the item at the position belongs to this object and kind. */
  isAt(object: number, kind: number): boolean {
    const slot = this.#leafSlot();
    return (
      this.words[slot] === highWord(object) &&
      this.words[slot + 1] === lowWord(object) &&
      this.words[slot + 2] >>> 24 === kind
    );
  }

  #leafSlot(): number {
    return leafSlot(this.#pages.base(this.#path[this.#depth]), this.#slots[this.#depth]);
  }

  #showValue(): void {
    const page = this.#path[this.#depth];
    const words = this.#pages.words(page);
    const base = this.#pages.base(page);
    const place = words[leafSlot(base, this.#slots[this.#depth]) + KEY_WORDS];
    this.words = words;
    this.valueWord = base + ((place & 0xffff) >>> 2);
    this.valueLength = place >>> 16;
  }

  /** Walks from the root to where the key is or would be; true when it is there. */
  #descend(k0: number, k1: number, k2: number, k3: number): boolean {
    this.moves++;
    let page = this.#root;
    let words = this.#pages.words(page);
    let base = this.#pages.base(page);
    let level = levelOf(words, base);
    let depth = 0;
    while (level > 0) {
      // The last slot whose key is not greater; slot 0 stands for everything below slot 1.
      let low = 0;
      let high = countOf(words, base) - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (compareKey(words, branchSlot(base, middle), k0, k1, k2, k3) <= 0) low = middle;
        else high = middle - 1;
      }
      this.#path[depth] = page;
      this.#slots[depth] = low;
      depth++;
      page = this.#child(words, branchSlot(base, low), level);
      words = this.#pages.words(page);
      base = this.#pages.base(page);
      level--;
    }
    let low = 0;
    let high = countOf(words, base);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareKey(words, leafSlot(base, middle), k0, k1, k2, k3);
      if (order === 0) {
        this.#path[depth] = page;
        this.#slots[depth] = middle;
        this.#depth = depth;
        return true;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    this.#path[depth] = page;
    this.#slots[depth] = low;
    this.#depth = depth;
    return false;
  }

  /** The child that a branch slot points to, checked to be the page that it was when the slot was written. */
  #child(words: Uint32Array, slot: number, level: number): PageNumber {
    const page = asPageNumber(words[slot + KEY_WORDS]);
    const childWords = this.#pages.words(page);
    const childBase = this.#pages.base(page);
    if (
      levelOf(childWords, childBase) !== level - 1 ||
      childWords[childBase + WORD_BIRTH] !== words[slot + KEY_WORDS + 1]
    ) {
      throw new CorruptionError(`page ${page}`, 'not the page that its parent points to');
    }
    return page;
  }

  /** Moves a position that is past the end of its leaf to the first slot of the next one. */
  #settle(): boolean {
    for (;;) {
      const page = this.#path[this.#depth];
      if (this.#slots[this.#depth] < countOf(this.#pages.words(page), this.#pages.base(page))) {
        this.#showValue();
        return true;
      }
      if (!this.#nextLeaf()) return false;
    }
  }

  #nextLeaf(): boolean {
    for (let depth = this.#depth - 1; depth >= 0; depth--) {
      const words = this.#pages.words(this.#path[depth]);
      const base = this.#pages.base(this.#path[depth]);
      if (this.#slots[depth] + 1 < countOf(words, base)) {
        this.#slots[depth]++;
        this.#leftmost(depth);
        return true;
      }
    }
    return false;
  }

  /** Follows the chosen slot at `depth`, then first slots, down to a leaf. */
  #leftmost(depth: number): void {
    for (let at = depth; at < this.#depth; at++) {
      const words = this.#pages.words(this.#path[at]);
      const base = this.#pages.base(this.#path[at]);
      this.#path[at + 1] = this.#child(words, branchSlot(base, this.#slots[at]), levelOf(words, base));
      this.#slots[at + 1] = 0;
    }
  }

  // ── Changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sets the position to the item with this key, its value writable; false when there is none. */
  modify(object: number, kind: number, minor: number): boolean {
    if (!this.#descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor))) return false;
    this.#makePathWritable();
    this.#showValue();
    return true;
  }

  /** Adds an item with a zeroed value of `length` bytes, writable at the position. The key must be new. */
  insert(object: number, kind: number, minor: number, length: number): void {
    if (length > VALUE_LENGTH_MAX) throw new RangeError(`a value of ${length} bytes`);
    const k0 = highWord(object);
    const k1 = lowWord(object);
    const k2 = keyWord2(kind, minor);
    const k3 = lowWord(minor);
    for (;;) {
      if (this.#descend(k0, k1, k2, k3)) throw new CorruptionError(`item ${object}/${kind}/${minor}`, 'there already');
      this.#makePathWritable();
      const page = this.#path[this.#depth];
      const words = this.#pages.words(page);
      const base = this.#pages.base(page);
      if (leafHasRoom(words, base, length)) {
        insertIntoLeaf(words, base, this.#slots[this.#depth], k0, k1, k2, k3, length);
        this.#showValue();
        return;
      }
      this.#splitLeaf(Uint32Array.of(k0, k1, k2, k3));
    }
  }

  /** Removes the item with this key; false when there is none. */
  remove(object: number, kind: number, minor: number): boolean {
    if (!this.#descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor))) return false;
    this.#makePathWritable();
    const page = this.#path[this.#depth];
    const words = this.#pages.words(page);
    const base = this.#pages.base(page);
    removeFromLeaf(words, base, this.#slots[this.#depth]);
    if (leafUsed(words, base) < LEAF_CAPACITY / 4) this.#shrink(this.#depth);
    return true;
  }

  /** Copies the pages of the path that belong to earlier epochs, and points their parents to the copies. */
  #makePathWritable(): void {
    this.#root = this.#pages.writable(this.#root);
    this.#path[0] = this.#root;
    for (let depth = 1; depth <= this.#depth; depth++) {
      const page = this.#path[depth];
      const copy = this.#pages.writable(page);
      if (copy === page) continue;
      this.#path[depth] = copy;
      this.#pointTo(depth - 1, this.#slots[depth - 1], copy);
    }
  }

  /** Points a slot of the branch at `depth`, which is writable, to a child of this epoch. */
  #pointTo(depth: number, index: number, child: PageNumber): void {
    const parent = this.#path[depth];
    pointSlotTo(this.#pages.words(parent), branchSlot(this.#pages.base(parent), index), child, this.#pages.epoch);
  }

  /**
   * Splits the leaf of the position in two. When the new item belongs at its very end, the new leaf begins with that item:
   * ascending keys then leave full leaves behind.
   */
  #splitLeaf(newKey: Uint32Array): void {
    const page = this.#path[this.#depth];
    const words = this.#pages.words(page);
    const base = this.#pages.base(page);
    const count = countOf(words, base);
    const right = this.#pages.allocate(0);
    let key = newKey;
    if (this.#slots[this.#depth] < count) {
      const cut = middleOfLeaf(words, base);
      key = words.slice(leafSlot(base, cut), leafSlot(base, cut) + KEY_WORDS);
      appendSlots(words, base, cut, count, this.#pages.words(right), this.#pages.base(right));
      truncateLeaf(words, base, cut);
    }
    this.#insertChild(this.#depth, { key, child: right, birth: this.#pages.epoch });
  }

  /** Gives the page at `depth` of the path a new right neighbour, in its parent; splits that, or makes one, as needed. */
  #insertChild(depth: number, separator: Separator): void {
    if (depth === 0) {
      this.#growRoot(separator);
      return;
    }
    const parent = this.#path[depth - 1];
    const words = this.#pages.words(parent);
    const base = this.#pages.base(parent);
    const index = this.#slots[depth - 1] + 1;
    if (!isBranchFull(words, base)) {
      insertIntoBranch(words, base, index, separator);
      return;
    }
    const right = this.#pages.allocate(levelOf(words, base));
    const rightWords = this.#pages.words(right);
    const rightBase = this.#pages.base(right);
    const count = countOf(words, base);
    const cut = index === count ? count : count >>> 1;
    let key = separator.key;
    if (cut < count) {
      key = words.slice(branchSlot(base, cut), branchSlot(base, cut) + KEY_WORDS);
      moveSlots(words, base, cut, rightWords, rightBase, key);
    }
    if (index > cut || cut === count) insertIntoBranch(rightWords, rightBase, index - cut, separator);
    else insertIntoBranch(words, base, index, separator);
    this.#insertChild(depth - 1, { key, child: right, birth: this.#pages.epoch });
  }

  #growRoot(separator: Separator): void {
    const old = this.#root;
    const root = this.#pages.allocate(levelOf(this.#pages.words(old), this.#pages.base(old)) + 1);
    const words = this.#pages.words(root);
    const base = this.#pages.base(root);
    insertIntoBranch(words, base, 0, { key: separator.key, child: old, birth: this.#pages.epoch });
    insertIntoBranch(words, base, 1, separator);
    this.#root = root;
  }

  /** Merges the sparse page at `depth` of the path, which is writable, with a neighbour, or takes it out when it is empty. */
  #shrink(depth: number): void {
    if (depth === 0) {
      this.#shrinkRoot();
      return;
    }
    const page = this.#path[depth];
    const parent = this.#path[depth - 1];
    const words = this.#pages.words(parent);
    const base = this.#pages.base(parent);
    const index = this.#slots[depth - 1];
    if (countOf(this.#pages.words(page), this.#pages.base(page)) === 0) {
      this.#pages.release(page);
      removeFromBranch(words, base, index);
    } else if (index + 1 < countOf(words, base) && this.#canMerge(words, base, index)) {
      this.#merge(depth - 1, index);
    } else if (index > 0 && this.#canMerge(words, base, index - 1)) {
      this.#merge(depth - 1, index - 1);
    } else {
      return;
    }
    if (countOf(words, base) < BRANCH_CAPACITY / 4) this.#shrink(depth - 1);
  }

  /** A root with one child gives way to it; one with none becomes an empty leaf. */
  #shrinkRoot(): void {
    for (;;) {
      const words = this.#pages.words(this.#root);
      const base = this.#pages.base(this.#root);
      const level = levelOf(words, base);
      if (level === 0 || countOf(words, base) > 1) return;
      const old = this.#root;
      if (countOf(words, base) === 0) this.#root = this.#pages.allocate(0);
      else this.#root = this.#child(words, branchSlot(base, 0), level);
      this.#pages.release(old);
    }
  }

  /** Whether the children at `index` and `index + 1` of a branch fit one page with room to spare. */
  #canMerge(words: Uint32Array, base: number, index: number): boolean {
    const level = levelOf(words, base);
    const left = this.#child(words, branchSlot(base, index), level);
    const right = this.#child(words, branchSlot(base, index + 1), level);
    const leftWords = this.#pages.words(left);
    const rightWords = this.#pages.words(right);
    const leftBase = this.#pages.base(left);
    const rightBase = this.#pages.base(right);
    if (level === 1) return leafUsed(leftWords, leftBase) + leafUsed(rightWords, rightBase) <= (LEAF_CAPACITY * 3) / 4;
    return countOf(leftWords, leftBase) + countOf(rightWords, rightBase) <= (BRANCH_CAPACITY * 3) / 4;
  }

  /** Moves everything of the child at `index + 1` of the branch at `depth` into the child at `index`. */
  #merge(depth: number, index: number): void {
    const parent = this.#path[depth];
    const words = this.#pages.words(parent);
    const base = this.#pages.base(parent);
    const leftSlot = branchSlot(base, index);
    const rightSlot = branchSlot(base, index + 1);
    const left = this.#pages.writable(asPageNumber(words[leftSlot + KEY_WORDS]));
    this.#pointTo(depth, index, left);
    // A copy of the right page when it is shared: its children then count their new parent.
    const right = this.#pages.writable(asPageNumber(words[rightSlot + KEY_WORDS]));
    const leftWords = this.#pages.words(left);
    const leftBase = this.#pages.base(left);
    const rightWords = this.#pages.words(right);
    const rightBase = this.#pages.base(right);
    if (levelOf(rightWords, rightBase) === 0) {
      appendSlots(rightWords, rightBase, 0, countOf(rightWords, rightBase), leftWords, leftBase);
    } else {
      const key = words.slice(rightSlot, rightSlot + KEY_WORDS);
      moveSlots(rightWords, rightBase, 0, leftWords, leftBase, key);
    }
    this.#pages.release(right);
    removeFromBranch(words, base, index + 1);
  }
}

/** The slot at which a leaf splits into halves of about the same bytes; neither is empty. */
function middleOfLeaf(words: Uint32Array, base: number): number {
  const count = countOf(words, base);
  const half = leafUsed(words, base) / 2;
  let used = 0;
  for (let index = 0; index < count - 1; index++) {
    used += LEAF_SLOT_BYTES + padded(words[leafSlot(base, index) + KEY_WORDS] >>> 16);
    if (used >= half) return index + 1;
  }
  return count - 1;
}
