/**
 * Compares two trees item by item, in key order, in time that grows with what differs and not with what there is.
 *
 * A page that both trees have is skipped with all that is below it: pages are copied when they change, so the same number means the
 * same content. Two positions move through the trees side by side. Where one of them stands before a page that it has not opened
 * yet, the lower bound of that page tells whether there is something to be opened at all: after a leaf was split, or some were
 * merged, the positions meet again at the next boundary that both trees have.
 *
 * Both roots must stay as they are meanwhile (volume/pinned-tree.ts).
 */
import { asPageNumber, type PageNumber } from '../store/units.js';
import { childPage } from './cursor.js';
import { joinWords, KEY_WORDS } from './key.js';
import { branchSlot, countOf, leafSlot, levelOf, padded } from './page.js';
import type { PageStore } from './page-store.js';

/** An item that is not the same in both trees. The values are copies, padded to whole words; undefined where there is no item. */
export interface ItemDifference {
  readonly object: number;
  readonly kind: number;
  readonly minor: number;
  readonly before: Uint32Array | undefined;
  readonly after: Uint32Array | undefined;
}

/** An opened page, and the slot at which the position is. */
interface Frame {
  readonly page: PageNumber;
  readonly level: number;
  slot: number;
}

/** Where a key is: in words that must not change while it is looked at. */
interface KeyAt {
  readonly words: Uint32Array;
  readonly at: number;
}

function compareKeys(a: KeyAt, b: KeyAt): number {
  for (let i = 0; i < KEY_WORDS; i++) {
    const difference = a.words[a.at + i] - b.words[b.at + i];
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The lower bound of pages on the left edge of a tree. */
const LEAST: KeyAt = { words: new Uint32Array(KEY_WORDS), at: 0 };

/** A position in one of the trees: before an item, before a page that has not been opened, or at the end. */
class Front {
  readonly #pages: PageStore;
  readonly #frames: Frame[] = [];
  /** The root, until it is opened or passed. */
  #root: PageNumber | undefined;

  constructor(pages: PageStore, root: PageNumber) {
    this.#pages = pages;
    this.#root = root;
  }

  get #top(): Frame {
    return this.#frames[this.#frames.length - 1];
  }

  get isAtEnd(): boolean {
    return this.#root === undefined && this.#frames.length === 0;
  }

  /** The page before which the position is; undefined when it is before an item, or at the end. */
  get page(): PageNumber | undefined {
    if (this.#root !== undefined) return this.#root;
    if (this.isAtEnd || this.#top.level === 0) return undefined;
    const { page, slot } = this.#top;
    const words = this.#pages.words(page);
    // Not looked at yet, not even to check it: most are only passed.
    return asPageNumber(words[branchSlot(this.#pages.base(page), slot) + KEY_WORDS]);
  }

  /** The leaf that the position has opened and of which it has passed nothing. */
  get freshLeaf(): PageNumber | undefined {
    if (this.#root !== undefined || this.isAtEnd) return undefined;
    const { level, slot, page } = this.#top;
    return level === 0 && slot === 0 ? page : undefined;
  }

  /** The level of the page before which the position is. */
  get level(): number {
    if (this.#root === undefined) return this.#top.level - 1;
    return levelOf(this.#pages.words(this.#root), this.#pages.base(this.#root));
  }

  /** The key of the item, or the least key that the page can have. */
  get bound(): KeyAt {
    for (let depth = this.#frames.length - 1; depth >= 0; depth--) {
      const { page, slot, level } = this.#frames[depth];
      const words = this.#pages.words(page);
      const base = this.#pages.base(page);
      if (level === 0) return { words, at: leafSlot(base, slot) };
      if (slot > 0) return { words, at: branchSlot(base, slot) };
    }
    return LEAST;
  }

  /** Opens the page before which the position is. */
  open(): void {
    const page = this.#root ?? this.#child();
    this.#root = undefined;
    this.#frames.push({ page, level: levelOf(this.#pages.words(page), this.#pages.base(page)), slot: 0 });
    this.#leaveFinished();
  }

  #child(): PageNumber {
    const { page, slot, level } = this.#top;
    return childPage(this.#pages, this.#pages.words(page), branchSlot(this.#pages.base(page), slot), level);
  }

  /** Passes the item, or the page with all that is below it. */
  pass(): void {
    if (this.#root !== undefined) {
      this.#root = undefined;
      return;
    }
    this.#top.slot++;
    this.#leaveFinished();
  }

  /** Passes what is left of an opened leaf. */
  passLeaf(): void {
    this.#frames.pop();
    if (this.#frames.length > 0) this.pass();
  }

  #leaveFinished(): void {
    while (this.#frames.length > 0) {
      const { page, slot } = this.#top;
      if (slot < countOf(this.#pages.words(page), this.#pages.base(page))) return;
      this.#frames.pop();
      if (this.#frames.length > 0) this.#top.slot++;
    }
  }

  /** Whether the position is before an item. */
  get isAtItem(): boolean {
    return this.#root === undefined && this.#frames.length > 0 && this.#top.level === 0;
  }

  /** Word index of the item's value, and how many words it has. */
  #valueRange(words: Uint32Array): { readonly from: number; readonly length: number } {
    const base = this.#pages.base(this.#top.page);
    const place = words[leafSlot(base, this.#top.slot) + KEY_WORDS];
    return { from: base + ((place & 0xffff) >>> 2), length: padded(place >>> 16) >>> 2 };
  }

  /** The value of the item, copied. */
  value(): Uint32Array {
    const words = this.#pages.words(this.#top.page);
    const { from, length } = this.#valueRange(words);
    return words.slice(from, from + length);
  }

  /** Whether the item has the same value as that of another position. */
  hasValueOf(other: Front): boolean {
    const [words, otherWords] = [this.#pages.words(this.#top.page), this.#pages.words(other.#top.page)];
    const [mine, theirs] = [this.#valueRange(words), other.#valueRange(otherWords)];
    if (mine.length !== theirs.length) return false;
    for (let i = 0; i < mine.length; i++) if (words[mine.from + i] !== otherWords[theirs.from + i]) return false;
    return true;
  }
}

/** Yields what is different, in the order of the keys. Throws CorruptionError. */
export function* treeDifferences(
  pages: PageStore,
  before: PageNumber,
  after: PageNumber,
): Generator<ItemDifference, void, undefined> {
  const a = new Front(pages, before);
  const b = new Front(pages, after);
  while (!a.isAtEnd || !b.isAtEnd) {
    const bothAtItems = a.isAtItem && b.isAtItem;
    if (!bothAtItems && (skipShared(a, b) || openNext(a, b))) continue;
    const order = a.isAtEnd ? 1 : b.isAtEnd ? -1 : compareKeys(a.bound, b.bound);
    // Most items of a page that was copied are as they were.
    if (order === 0 && a.hasValueOf(b)) {
      a.pass();
      b.pass();
      continue;
    }
    const { words, at } = order > 0 ? b.bound : a.bound;
    const key = {
      object: joinWords(words[at], words[at + 1]),
      kind: words[at + 2] >>> 24,
      minor: joinWords(words[at + 2] & 0xff_ffff, words[at + 3]),
    };
    const [old, now] = [order > 0 ? undefined : a.value(), order < 0 ? undefined : b.value()];
    if (order <= 0) a.pass();
    if (order >= 0) b.pass();
    yield { ...key, before: old, after: now };
  }
}

/** Passes a page that both positions are before, with all that is below it. */
function skipShared(a: Front, b: Front): boolean {
  const [left, right] = [a.page, b.page];
  if (left !== undefined && left === right) {
    a.pass();
    b.pass();
    return true;
  }
  // One of them has opened a leaf, to find that it begins after what the other was at.
  if (left !== undefined && left === b.freshLeaf) {
    a.pass();
    b.passLeaf();
    return true;
  }
  if (right !== undefined && right === a.freshLeaf) {
    a.passLeaf();
    b.pass();
    return true;
  }
  return false;
}

/** Opens the page that comes first, and of two that begin at the same key the higher one, or both. False when items come first. */
function openNext(a: Front, b: Front): boolean {
  const [left, right] = [a.page !== undefined, b.page !== undefined];
  if (!left && !right) return false;
  const order = a.isAtEnd ? 1 : b.isAtEnd ? -1 : compareKeys(a.bound, b.bound);
  if (order !== 0) {
    const first = order < 0 ? a : b;
    if (first.page === undefined) return false;
    first.open();
    return true;
  }
  if (!left || !right) {
    (left ? a : b).open();
    return true;
  }
  const [aLevel, bLevel] = [a.level, b.level];
  if (aLevel >= bLevel) a.open();
  if (bLevel >= aLevel) b.open();
  return true;
}
