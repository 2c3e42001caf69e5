/**
 * A position in the tree, and how it moves: finding, seeking and going on. tree.ts adds the changes.
 *
 * The position is held in the object itself, so that nothing is allocated: `find`, `seek` and `next` set it, and `words`,
 * `valueWord` and `valueLength` then show the value. Any change of the tree makes it invalid.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asPageNumber, type PageNumber } from '../store/units.js';
import { compareKey, highWord, joinWords, KEY_WORDS, keyWord2, lowWord } from './key.js';
import { branchSlot, countOf, LEVEL_MAX, leafSlot, levelOf, WORD_BIRTH } from './page.js';
import type { PageStore } from './page-store.js';

/** The child that a branch slot points to, checked to be the page that it was when the slot was written. Throws CorruptionError. */
export function childPage(pages: PageStore, words: Uint32Array, slot: number, level: number): PageNumber {
  const page = asPageNumber(words[slot + KEY_WORDS]);
  const childWords = pages.words(page);
  const childBase = pages.base(page);
  if (
    levelOf(childWords, childBase) !== level - 1 ||
    childWords[childBase + WORD_BIRTH] !== words[slot + KEY_WORDS + 1]
  ) {
    throw new CorruptionError(`page ${page}`, 'not the page that its parent points to');
  }
  return page;
}

/** A power of two. Operations come back to the same few items: an inode, its directory, an entry. */
const FINGERS = 16;

/** The path to a leaf that was found before, for other keys in it: right while `layout` and `root` are. */
class Finger {
  layout = -1;
  root = asPageNumber(0);
  depth = 0;
  readonly path: PageNumber[] = new Array<PageNumber>(LEVEL_MAX + 1).fill(asPageNumber(0));
  readonly slots: number[] = new Array<number>(LEVEL_MAX + 1).fill(0);
}

export class TreeCursor {
  protected readonly pages: PageStore;
  protected rootPage: PageNumber;
  /** The path to the position: pages and slots from the root (index 0) to the leaf (index `depth`). */
  protected readonly path: PageNumber[] = new Array<PageNumber>(LEVEL_MAX + 1).fill(asPageNumber(0));
  protected readonly slots: number[] = new Array<number>(LEVEL_MAX + 1).fill(0);
  protected depth = 0;
  readonly #fingers = Array.from({ length: FINGERS }, () => new Finger());

  /** The words of the segment in which the value at the position lies. */
  words: Uint32Array = new Uint32Array(0);
  /** Word index of the value in `words`. */
  valueWord = 0;
  /** Bytes. */
  valueLength = 0;
  /** Counts how often the position was set anew: while it stays the same, the position does. */
  moves = 0;

  constructor(pages: PageStore, root: PageNumber) {
    this.pages = pages;
    this.rootPage = root;
  }

  get root(): PageNumber {
    return this.rootPage;
  }

  /** Shows another tree from now on. */
  switchTo(root: PageNumber): void {
    this.rootPage = root;
    this.moves++;
  }

  /** Whether some page on the way to the position has other parents too, so that other trees show the same item. */
  get isShared(): boolean {
    for (let depth = 0; depth <= this.depth; depth++) if (this.pages.count(this.path[depth]) > 1) return true;
    return false;
  }

  /** Sets the position to the item with this key; false when there is none. */
  find(object: number, kind: number, minor: number): boolean {
    if (!this.descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor))) return false;
    this.showValue();
    return true;
  }

  /** Sets the position to the first item whose key is not less; false when there is none. */
  seek(object: number, kind: number, minor: number): boolean {
    this.descend(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor));
    return this.#settle();
  }

  /** Moves the position to the next item; false at the end. */
  next(): boolean {
    this.slots[this.depth]++;
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
    return leafSlot(this.pages.base(this.path[this.depth]), this.slots[this.depth]);
  }

  protected showValue(): void {
    const page = this.path[this.depth];
    const words = this.pages.words(page);
    const base = this.pages.base(page);
    const place = words[leafSlot(base, this.slots[this.depth]) + KEY_WORDS];
    this.words = words;
    this.valueWord = base + ((place & 0xffff) >>> 2);
    this.valueLength = place >>> 16;
  }

  /** Walks from the root to where the key is or would be; true when it is there. */
  protected descend(k0: number, k1: number, k2: number, k3: number): boolean {
    this.moves++;
    const finger = this.#fingers[(k1 ^ k3 ^ (k2 >>> 24)) & (FINGERS - 1)];
    if (finger.layout === this.pages.layout && finger.root === this.rootPage) {
      const { depth } = finger;
      for (let at = 0; at <= depth; at++) {
        this.path[at] = finger.path[at];
        this.slots[at] = finger.slots[at];
      }
      this.depth = depth;
      if (this.#searchLeaf(k0, k1, k2, k3)) return true;
      // A key between two of the leaf's belongs there; one at its ends may belong to a neighbour.
      const page = this.path[depth];
      if (this.slots[depth] > 0 && this.slots[depth] < countOf(this.pages.words(page), this.pages.base(page)))
        return false;
    }
    const found = this.#descendFromRoot(k0, k1, k2, k3);
    finger.layout = this.pages.layout;
    finger.root = this.rootPage;
    finger.depth = this.depth;
    for (let at = 0; at <= this.depth; at++) {
      finger.path[at] = this.path[at];
      finger.slots[at] = this.slots[at];
    }
    return found;
  }

  #descendFromRoot(k0: number, k1: number, k2: number, k3: number): boolean {
    let page = this.rootPage;
    let words = this.pages.words(page);
    let base = this.pages.base(page);
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
      this.path[depth] = page;
      this.slots[depth] = low;
      depth++;
      page = this.child(words, branchSlot(base, low), level);
      words = this.pages.words(page);
      base = this.pages.base(page);
      level--;
    }
    this.path[depth] = page;
    this.depth = depth;
    return this.#searchLeaf(k0, k1, k2, k3);
  }

  /** Sets the slot in the leaf at the end of the path to where the key is or would be; true when it is there. */
  #searchLeaf(k0: number, k1: number, k2: number, k3: number): boolean {
    const page = this.path[this.depth];
    const words = this.pages.words(page);
    const base = this.pages.base(page);
    let low = 0;
    let high = countOf(words, base);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareKey(words, leafSlot(base, middle), k0, k1, k2, k3);
      if (order === 0) {
        this.slots[this.depth] = middle;
        return true;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    this.slots[this.depth] = low;
    return false;
  }

  /** The child that a branch slot points to, checked. */
  protected child(words: Uint32Array, slot: number, level: number): PageNumber {
    return childPage(this.pages, words, slot, level);
  }

  /** Moves a position that is past the end of its leaf to the first slot of the next one. */
  #settle(): boolean {
    for (;;) {
      const page = this.path[this.depth];
      if (this.slots[this.depth] < countOf(this.pages.words(page), this.pages.base(page))) {
        this.showValue();
        return true;
      }
      if (!this.#nextLeaf()) return false;
    }
  }

  #nextLeaf(): boolean {
    for (let depth = this.depth - 1; depth >= 0; depth--) {
      const words = this.pages.words(this.path[depth]);
      const base = this.pages.base(this.path[depth]);
      if (this.slots[depth] + 1 < countOf(words, base)) {
        this.slots[depth]++;
        this.#leftmost(depth);
        return true;
      }
    }
    return false;
  }

  /** Follows the chosen slot at `depth`, then first slots, down to a leaf. */
  #leftmost(depth: number): void {
    for (let at = depth; at < this.depth; at++) {
      const words = this.pages.words(this.path[at]);
      const base = this.pages.base(this.path[at]);
      this.path[at + 1] = this.child(words, branchSlot(base, this.slots[at]), levelOf(words, base));
      this.slots[at + 1] = 0;
    }
  }
}
