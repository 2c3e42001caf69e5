/**
 * Grafting: a tree that has, within some ranges of keys, what another tree has there, and shares its pages.
 *
 * It takes time by what lies at the ends of the ranges, not within: the largest subtrees of both trees that are not cut by an end are
 * taken as they are, and new branches are put above them. Only of a leaf across an end a part is copied.
 */
import { asPageNumber, type PageNumber } from '../store/units.js';
import { insertIntoBranch, type Separator } from './branch.js';
import { childPage } from './cursor.js';
import { compareKey, highWord, KEY_WORDS, lowWord } from './key.js';
import { appendSlots } from './leaf.js';
import { BRANCH_CAPACITY, birthOf, branchSlot, countOf, LEVEL_MAX, leafSlot, levelOf } from './page.js';
import type { PageStore } from './page-store.js';

/** All items of the objects from `from` up to, and not with, `to`. */
export interface ObjectRange {
  readonly from: number;
  readonly to: number;
}

/** A page that is there, and its key in the branch above. */
interface SharedPage extends Separator {
  readonly part?: undefined;
  readonly children?: undefined;
}

/** A leaf to be made of some slots of another. */
interface LeafPart {
  readonly key: Uint32Array;
  readonly part: { readonly leaf: PageNumber; readonly begin: number; readonly end: number };
  readonly children?: undefined;
}

/** A branch to be made. */
interface NewBranch {
  readonly key: Uint32Array;
  readonly part?: undefined;
  readonly children: Subtree[];
}

type Subtree = SharedPage | LeafPart | NewBranch;

/** A tree of what `target` has outside of some ranges, and `source` within them: what it takes, and making it. */
export class Graft {
  readonly #pages: PageStore;
  readonly #tree = new TreePlan();
  #leafParts = 0;

  /** The ranges are in ascending order and do not overlap. */
  constructor(pages: PageStore, target: PageNumber, source: PageNumber, ranges: readonly ObjectRange[]) {
    this.#pages = pages;
    let end = 0;
    for (const range of ranges) {
      this.#take(target, { from: end, to: range.from });
      this.#take(source, range);
      end = range.to;
    }
    this.#take(target, { from: end, to: Number.POSITIVE_INFINITY });
  }

  /** Pages that `make` takes. */
  get pagesTaken(): number {
    return this.#tree.root === undefined ? 1 : this.#tree.branches + this.#leafParts;
  }

  /**
   * Makes the tree; `pagesTaken` pages are reserved, and neither tree has changed. Returns its root, with a reference to it. The caller
   * keeps those to the other two.
   */
  make(): PageNumber {
    const { root } = this.#tree;
    return root === undefined ? this.#pages.allocate(0) : asPageNumber(this.#makeSubtree(root, this.#tree.level).child);
  }

  /** Adds the largest subtrees of a tree that lie within a range. */
  #take(root: PageNumber, range: ObjectRange): void {
    if (range.from >= range.to) return;
    const pages = this.#pages;
    const [from, to] = [firstKey(range.from), firstKey(range.to)];
    const take = (page: PageNumber, level: number, birth: number, low: Uint32Array, high: Uint32Array): void => {
      if (isAtMost(high, from) || isAtMost(to, low)) return;
      if (isAtMost(from, low) && isAtMost(high, to)) {
        this.#tree.append(level, { key: low, child: page, birth });
        return;
      }
      const words = pages.words(page);
      const base = pages.base(page);
      const count = countOf(words, base);
      if (level === 0) {
        const begin = firstIndex(count, (index) => compareAt(words, leafSlot(base, index), from) >= 0);
        const end = firstIndex(count, (index) => compareAt(words, leafSlot(base, index), to) >= 0);
        if (begin === end) return;
        this.#leafParts++;
        const slot = leafSlot(base, begin);
        this.#tree.append(0, { key: words.slice(slot, slot + KEY_WORDS), part: { leaf: page, begin, end } });
        return;
      }
      const boundOf = (index: number): Uint32Array => {
        if (index === 0) return low;
        const slot = branchSlot(base, index);
        return index === count ? high : words.slice(slot, slot + KEY_WORDS);
      };
      // From the child in whose range the first key is: slot 0 stands for everything below slot 1.
      const first = firstIndex(count - 1, (index) => compareAt(words, branchSlot(base, index + 1), from) > 0);
      const end = firstIndex(count, (index) => index > 0 && compareAt(words, branchSlot(base, index), to) >= 0);
      for (let index = first; index < end; index++) {
        const slot = branchSlot(base, index);
        const child = childPage(pages, words, slot, level);
        take(child, level - 1, words[slot + KEY_WORDS + 1], boundOf(index), boundOf(index + 1));
      }
    };
    const [words, base] = [pages.words(root), pages.base(root)];
    take(root, levelOf(words, base), birthOf(words, base), firstKey(0), firstKey(Number.POSITIVE_INFINITY));
  }

  #makeSubtree(subtree: Subtree, level: number): Separator {
    const pages = this.#pages;
    if (subtree.part !== undefined) {
      const { leaf, begin, end } = subtree.part;
      const copy = pages.allocate(0);
      const [words, base] = [pages.words(copy), pages.base(copy)];
      appendSlots(pages.words(leaf), pages.base(leaf), begin, end, words, base);
      pages.onLeafShared(words, base);
      return { key: subtree.key, child: copy, birth: pages.epoch };
    }
    if (subtree.children === undefined) {
      pages.share(asPageNumber(subtree.child));
      return subtree;
    }
    const branch = pages.allocate(level);
    const [words, base] = [pages.words(branch), pages.base(branch)];
    for (const [index, child] of subtree.children.entries()) {
      insertIntoBranch(words, base, index, this.#makeSubtree(child, level - 1));
    }
    return { key: subtree.key, child: branch, birth: pages.epoch };
  }
}

/** The first key of an object, which may be the end of all. */
const firstKey = (object: number): Uint32Array =>
  object === Number.POSITIVE_INFINITY
    ? new Uint32Array(KEY_WORDS).fill(0xffff_ffff)
    : Uint32Array.of(highWord(object), lowWord(object), 0, 0);

/** Compares the key at `words[at…]` with another. */
const compareAt = (words: Uint32Array, at: number, key: Uint32Array): number =>
  compareKey(words, at, key[0], key[1], key[2], key[3]);

const isAtMost = (a: Uint32Array, b: Uint32Array): boolean => compareAt(a, 0, b) <= 0;

/** The first index below `count` from which on something holds; `count` when it does for none. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The branches above subtrees of any levels that come in the order of their keys. */
class TreePlan {
  root: Subtree | undefined;
  /** Of the root. */
  level = 0;
  branches = 0;
  /** By level, the children of the branch that the next one is added to. */
  readonly #open: (Subtree[] | undefined)[] = new Array<undefined>(LEVEL_MAX + 2).fill(undefined);

  /** Adds a subtree whose keys are above all that were added before. */
  append(level: number, subtree: Subtree): void {
    if (this.root === undefined) {
      this.root = subtree;
      this.level = level;
      return;
    }
    while (this.level < level) this.#raise(this.root);
    let added = subtree;
    for (let at = level + 1; ; at++) {
      if (at > this.level) this.#raise(this.root);
      const open = this.#open[at];
      if (open !== undefined && open.length < BRANCH_CAPACITY) {
        open.push(added);
        break;
      }
      added = this.#branch(at, added);
    }
    // What comes next is above all that this subtree has.
    this.#open.fill(undefined, 0, level + 1);
  }

  #raise(root: Subtree): void {
    this.level++;
    this.root = this.#branch(this.level, root);
  }

  #branch(level: number, first: Subtree): NewBranch {
    const children = [first];
    this.#open[level] = children;
    this.branches++;
    return { key: first.key, children };
  }
}
