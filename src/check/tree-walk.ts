/**
 * Walks trees from their roots, checks every page and counts how often each is pointed to.
 *
 * Trees share pages: what a page points to is counted when the first tree reaches it, and only a page that no tree has reached
 * before is checked in all its parts. A page that is wrong is reported with the inodes whose items it may have held, and the
 * walk goes on beside it. Within one tree a page is entered once only, so that no damage can make a walk endless.
 */
import { asPageNumber, type PageNumber } from '../store/units.js';
import { joinWords, KEY_WORDS } from '../tree/key.js';
import { WORD_BIRTH } from '../tree/page.js';
import type { ErrorSink } from './findings.js';
import { compareKeys, Page, type PageReader } from './page-reader.js';

/** Keys from `low` to below `high`. */
export interface KeyRange {
  readonly low: Uint32Array;
  /** Undefined: to the end. */
  readonly high: Uint32Array | undefined;
}

export const FULL_RANGE: KeyRange = { low: new Uint32Array(KEY_WORDS), high: undefined };

/** Which inodes a range of keys belongs to, in words. */
export function describeRange({ low, high }: KeyRange): string {
  const first = joinWords(low[0], low[1]);
  if (high === undefined) return first === 0 ? 'the whole tree' : `inode ${first} and all above`;
  const last = joinWords(high[0], high[1]);
  if (first === last) return `a part of inode ${first}`;
  return `inodes ${first} to ${last}`;
}

/** A walk over one tree. */
interface Walk {
  /** From 1, in the order of the walks. */
  readonly number: number;
  readonly findings: ErrorSink;
  /** Parts of the tree that could not be read. */
  readonly lost: KeyRange[];
  /** Pages that an earlier walk has reached are left out, with all below them. */
  readonly onlyNew: boolean;
}

/** What a parent says of its child. */
interface Expected {
  readonly level: number;
  readonly birthLow: number;
  readonly parent: Page;
}

export class TreeWalk {
  readonly #reader: PageReader;
  readonly #epoch: number;
  /** How many branches, roots and dying entries point to each page. */
  readonly references: Uint32Array;
  /** The walk that reached a page first, and the one that did so last; 0 for none. */
  readonly #first: Uint32Array;
  readonly #last: Uint32Array;
  #walks = 0;
  pagesRead = 0;
  /** Every page that something points to could be read: what was not reached is unused. */
  isWhole = true;

  constructor(reader: PageReader, epoch: number) {
    this.#reader = reader;
    this.#epoch = epoch;
    this.references = new Uint32Array(reader.capacity);
    this.#first = new Uint32Array(reader.capacity);
    this.#last = new Uint32Array(reader.capacity);
  }

  /**
   * The leaves below a root, in key order, and in `lost` the parts that cannot be read. A page is valid until the next one is asked
   * for.
   */
  *leaves(root: PageNumber, findings: ErrorSink, lost: KeyRange[] = []): Generator<Page> {
    this.#count(root, 1);
    yield* this.#walk(root, { number: ++this.#walks, findings, lost, onlyNew: false });
  }

  /** The leaves below a page to which `count` references are to be given up, as far as no tree has them. */
  *dyingLeaves(root: PageNumber, count: number, findings: ErrorSink): Generator<Page> {
    this.#count(root, count);
    if (this.#first[root] === 0) yield* this.#walk(root, { number: ++this.#walks, findings, lost: [], onlyNew: true });
  }

  /** One more root is a page that was walked from before. */
  addRoot(root: PageNumber): void {
    this.#count(root, 1);
  }

  /** Whether the last walk was the first to reach a page. */
  isNew(page: number): boolean {
    return this.#first[page] === this.#walks;
  }

  #count(page: number, references: number): void {
    if (page > 0 && page < this.references.length) this.references[page] += references;
  }

  *#walk(root: PageNumber, walk: Walk): Generator<Page> {
    const page = new Page();
    if (this.#enter(root, page, FULL_RANGE, undefined, walk)) yield* this.#below(page, FULL_RANGE, walk);
  }

  *#below(page: Page, range: KeyRange, walk: Walk): Generator<Page> {
    if (page.level === 0) {
      yield page;
      return;
    }
    const isNew = this.#first[page.number] === walk.number;
    const child = new Page();
    for (let index = 0; index < page.count; index++) {
      const slot = page.keyWord(index);
      const low = index === 0 ? range.low : page.words.slice(slot, slot + KEY_WORDS);
      const next = page.keyWord(index + 1);
      const high = index + 1 < page.count ? page.words.slice(next, next + KEY_WORDS) : range.high;
      const number = asPageNumber(page.words[slot + KEY_WORDS]);
      if (isNew) this.#count(number, 1);
      if (walk.onlyNew && this.#first[number] > 0 && this.#first[number] < walk.number) continue;
      const expected = { level: page.level - 1, birthLow: page.words[slot + KEY_WORDS + 1], parent: page };
      if (this.#enter(number, child, { low, high }, expected, walk)) yield* this.#below(child, { low, high }, walk);
    }
  }

  /** Reads a page and checks it against what its parent says. */
  #enter(number: PageNumber, page: Page, range: KeyRange, expected: Expected | undefined, walk: Walk): boolean {
    const problem = this.#problem(number, page, range, expected, walk);
    this.pagesRead++;
    if (problem === undefined) return true;
    walk.lost.push(range);
    this.isWhole = false;
    const parent = expected === undefined ? 'the root' : `below page ${expected.parent.number}`;
    const effect = `lost with it: ${describeRange(range)}`;
    walk.findings.error('page', `page ${number}`, `${problem} (${parent})`, effect);
    return false;
  }

  #problem(
    number: PageNumber,
    page: Page,
    range: KeyRange,
    expected: Expected | undefined,
    walk: Walk,
  ): string | undefined {
    const inside = number > 0 && number < this.references.length;
    if (inside && this.#last[number] === walk.number) return 'two places of the tree point to it';
    if (inside) {
      this.#last[number] = walk.number;
      if (this.#first[number] === 0) this.#first[number] = walk.number;
    }
    return this.#reader.read(number, page) ?? this.#misfit(page, range, expected);
  }

  #misfit(page: Page, range: KeyRange, expected: Expected | undefined): string | undefined {
    if (page.birth > this.#epoch) return `made in epoch ${page.birth}, but the checkpoint is of epoch ${this.#epoch}`;
    if (expected !== undefined) {
      if (page.level !== expected.level) return `level ${page.level}, but its parent has level ${expected.level + 1}`;
      if (page.words[WORD_BIRTH] !== expected.birthLow) {
        return `made in epoch ${page.birth}, which is not what its parent says: a write was lost`;
      }
      if (page.birth > expected.parent.birth)
        return `younger than its parent (epochs ${page.birth}, ${expected.parent.birth})`;
    }
    return this.#outOfRange(page, range);
  }

  #outOfRange(page: Page, { low, high }: KeyRange): string | undefined {
    // Slot 0 of a branch has no key of its own.
    const first = page.level === 0 ? 0 : 1;
    if (page.count <= first) return undefined;
    if (compareKeys(page.words, page.keyWord(first), low, 0) < 0)
      return 'has a key below the range that its parent gives it';
    if (high !== undefined && compareKeys(page.words, page.keyWord(page.count - 1), high, 0) >= 0) {
      return 'has a key above the range that its parent gives it';
    }
    return undefined;
  }
}
