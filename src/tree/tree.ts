/**
 * The n-ary tree: a copy-on-write B+ tree from keys (key.ts) to values of up to 512 bytes.
 *
 * `insert` and `modify` set the position (cursor.ts) to an item whose value may then be written, until the next call.
 *
 * Every change is made to pages of the current epoch (page-store.ts); the caller reserves pages beforehand, so that no change
 * fails half-way. `PAGES_PER_CHANGE` bounds what one insert, modify or remove can take.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asPageNumber, type PageNumber } from '../store/units.js';
import { insertIntoBranch, isBranchFull, moveSlots, pointSlotTo, removeFromBranch, type Separator } from './branch.js';
import { TreeCursor } from './cursor.js';
import { highWord, KEY_WORDS, keyWord2, lowWord } from './key.js';
import { appendSlots, insertIntoLeaf, leafHasRoom, removeFromLeaf, truncateLeaf } from './leaf.js';
import {
  BRANCH_CAPACITY,
  branchSlot,
  countOf,
  LEAF_CAPACITY,
  LEAF_SLOT_BYTES,
  leafSlot,
  leafUsed,
  levelOf,
  padded,
  VALUE_LENGTH_MAX,
} from './page.js';
import type { PageStore } from './page-store.js';

/** No single change takes more new pages: a copy, a split or merge at each level, and a new root. */
export const PAGES_PER_CHANGE = 3 * 6 + 1;

export class Tree extends TreeCursor {
  /** Makes an empty tree; one page must be reserved. */
  static create(pages: PageStore): Tree {
    return new Tree(pages, pages.allocate(0));
  }

  /** Sets the position to the item with this key, its value writable; false when there is none. */
  modify(object: number, kind: number, minor: number): boolean {
    if (!this.descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor))) return false;
    this.#makePathWritable();
    this.showValue();
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
      if (this.descend(k0, k1, k2, k3)) throw new CorruptionError(`item ${object}/${kind}/${minor}`, 'there already');
      this.#makePathWritable();
      const page = this.path[this.depth];
      const words = this.pages.words(page);
      const base = this.pages.base(page);
      if (leafHasRoom(words, base, length)) {
        insertIntoLeaf(words, base, this.slots[this.depth], k0, k1, k2, k3, length);
        this.showValue();
        return;
      }
      this.#splitLeaf(Uint32Array.of(k0, k1, k2, k3));
    }
  }

  /** Removes the item with this key; false when there is none. */
  remove(object: number, kind: number, minor: number): boolean {
    if (!this.descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor))) return false;
    this.#makePathWritable();
    const page = this.path[this.depth];
    const words = this.pages.words(page);
    const base = this.pages.base(page);
    removeFromLeaf(words, base, this.slots[this.depth]);
    if (leafUsed(words, base) < LEAF_CAPACITY / 4) this.#shrink(this.depth);
    return true;
  }

  /** Copies the pages of the path that belong to earlier epochs, and points their parents to the copies. */
  #makePathWritable(): void {
    this.rootPage = this.pages.writable(this.rootPage);
    this.path[0] = this.rootPage;
    for (let depth = 1; depth <= this.depth; depth++) {
      const page = this.path[depth];
      const copy = this.pages.writable(page);
      if (copy === page) continue;
      this.path[depth] = copy;
      this.#pointTo(depth - 1, this.slots[depth - 1], copy);
    }
  }

  /** Points a slot of the branch at `depth`, which is writable, to a child of this epoch. */
  #pointTo(depth: number, index: number, child: PageNumber): void {
    const parent = this.path[depth];
    pointSlotTo(this.pages.words(parent), branchSlot(this.pages.base(parent), index), child, this.pages.epoch);
  }

  /**
   * Splits the leaf of the position in two. When the new item belongs at its very end, the new leaf begins with that item:
   * ascending keys then leave full leaves behind.
   */
  #splitLeaf(newKey: Uint32Array): void {
    const page = this.path[this.depth];
    const words = this.pages.words(page);
    const base = this.pages.base(page);
    const count = countOf(words, base);
    const right = this.pages.allocate(0);
    let key = newKey;
    if (this.slots[this.depth] < count) {
      const cut = middleOfLeaf(words, base);
      key = words.slice(leafSlot(base, cut), leafSlot(base, cut) + KEY_WORDS);
      appendSlots(words, base, cut, count, this.pages.words(right), this.pages.base(right));
      truncateLeaf(words, base, cut);
    }
    this.#insertChild(this.depth, { key, child: right, birth: this.pages.epoch });
  }

  /** Gives the page at `depth` of the path a new right neighbour, in its parent; splits that, or makes one, as needed. */
  #insertChild(depth: number, separator: Separator): void {
    if (depth === 0) {
      this.#growRoot(separator);
      return;
    }
    const parent = this.path[depth - 1];
    const words = this.pages.words(parent);
    const base = this.pages.base(parent);
    const index = this.slots[depth - 1] + 1;
    if (!isBranchFull(words, base)) {
      insertIntoBranch(words, base, index, separator);
      return;
    }
    const right = this.pages.allocate(levelOf(words, base));
    const rightWords = this.pages.words(right);
    const rightBase = this.pages.base(right);
    const count = countOf(words, base);
    const cut = index === count ? count : count >>> 1;
    let key = separator.key;
    if (cut < count) {
      key = words.slice(branchSlot(base, cut), branchSlot(base, cut) + KEY_WORDS);
      moveSlots(words, base, cut, rightWords, rightBase, key);
    }
    if (index > cut || cut === count) insertIntoBranch(rightWords, rightBase, index - cut, separator);
    else insertIntoBranch(words, base, index, separator);
    this.#insertChild(depth - 1, { key, child: right, birth: this.pages.epoch });
  }

  #growRoot(separator: Separator): void {
    const old = this.rootPage;
    const root = this.pages.allocate(levelOf(this.pages.words(old), this.pages.base(old)) + 1);
    const words = this.pages.words(root);
    const base = this.pages.base(root);
    insertIntoBranch(words, base, 0, { key: separator.key, child: old, birth: this.pages.epoch });
    insertIntoBranch(words, base, 1, separator);
    this.rootPage = root;
  }

  /** Merges the sparse page at `depth` of the path, which is writable, with a neighbour, or takes it out when it is empty. */
  #shrink(depth: number): void {
    if (depth === 0) {
      this.#shrinkRoot();
      return;
    }
    const page = this.path[depth];
    const parent = this.path[depth - 1];
    const words = this.pages.words(parent);
    const base = this.pages.base(parent);
    const index = this.slots[depth - 1];
    if (countOf(this.pages.words(page), this.pages.base(page)) === 0) {
      this.pages.release(page);
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
      const words = this.pages.words(this.rootPage);
      const base = this.pages.base(this.rootPage);
      const level = levelOf(words, base);
      if (level === 0 || countOf(words, base) > 1) return;
      const old = this.rootPage;
      if (countOf(words, base) === 0) this.rootPage = this.pages.allocate(0);
      else this.rootPage = this.child(words, branchSlot(base, 0), level);
      this.pages.release(old);
    }
  }

  /** Whether the children at `index` and `index + 1` of a branch fit one page with room to spare; damaged ones are left alone. */
  #canMerge(words: Uint32Array, base: number, index: number): boolean {
    const level = levelOf(words, base);
    try {
      const left = this.child(words, branchSlot(base, index), level);
      const right = this.child(words, branchSlot(base, index + 1), level);
      const [leftWords, leftBase] = [this.pages.words(left), this.pages.base(left)];
      const [rightWords, rightBase] = [this.pages.words(right), this.pages.base(right)];
      if (level === 1)
        return leafUsed(leftWords, leftBase) + leafUsed(rightWords, rightBase) <= (LEAF_CAPACITY * 3) / 4;
      return countOf(leftWords, leftBase) + countOf(rightWords, rightBase) <= (BRANCH_CAPACITY * 3) / 4;
    } catch (error) {
      if (error instanceof CorruptionError) return false;
      throw error;
    }
  }

  /** Moves everything of the child at `index + 1` of the branch at `depth` into the child at `index`. */
  #merge(depth: number, index: number): void {
    const parent = this.path[depth];
    const words = this.pages.words(parent);
    const base = this.pages.base(parent);
    const leftSlot = branchSlot(base, index);
    const rightSlot = branchSlot(base, index + 1);
    const left = this.pages.writable(asPageNumber(words[leftSlot + KEY_WORDS]));
    this.#pointTo(depth, index, left);
    // A copy of the right page when it is shared: its children then count their new parent.
    const right = this.pages.writable(asPageNumber(words[rightSlot + KEY_WORDS]));
    const leftWords = this.pages.words(left);
    const leftBase = this.pages.base(left);
    const rightWords = this.pages.words(right);
    const rightBase = this.pages.base(right);
    if (levelOf(rightWords, rightBase) === 0) {
      appendSlots(rightWords, rightBase, 0, countOf(rightWords, rightBase), leftWords, leftBase);
    } else {
      const key = words.slice(rightSlot, rightSlot + KEY_WORDS);
      moveSlots(rightWords, rightBase, 0, leftWords, leftBase, key);
    }
    this.pages.release(right);
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
