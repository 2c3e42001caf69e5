/**
 * Walks the tree from its root, checks every page and counts how often each is pointed to.
 *
 * A page that is wrong is reported once, with the inodes whose items it may have held, and the walk goes on beside it. A page is
 * entered once only, so that no damage can make the walk endless.
 */
import { asPageNumber, type PageNumber } from '../store/units.js';
import { joinWords, KEY_WORDS } from '../tree/key.js';
import { WORD_BIRTH } from '../tree/page.js';
import type { Findings } from './findings.js';
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

export class TreeWalk {
  readonly #reader: PageReader;
  readonly #epoch: number;
  readonly #findings: Findings;
  /** How many branches and roots point to each page. */
  readonly references: Uint32Array;
  /** Parts of the tree that could not be read. */
  readonly lost: KeyRange[] = [];
  pagesRead = 0;

  constructor(reader: PageReader, epoch: number, findings: Findings) {
    this.#reader = reader;
    this.#epoch = epoch;
    this.#findings = findings;
    this.references = new Uint32Array(reader.capacity);
  }

  /** The leaves below a root, in key order. The page is valid until the next one is asked for. */
  *leaves(root: PageNumber): Generator<Page> {
    const page = new Page();
    if (this.#enter(root, page, FULL_RANGE, undefined)) yield* this.#below(page, FULL_RANGE);
  }

  *#below(page: Page, range: KeyRange): Generator<Page> {
    if (page.level === 0) {
      yield page;
      return;
    }
    const child = new Page();
    for (let index = 0; index < page.count; index++) {
      const slot = page.keyWord(index);
      const low = index === 0 ? range.low : page.words.slice(slot, slot + KEY_WORDS);
      const next = page.keyWord(index + 1);
      const high = index + 1 < page.count ? page.words.slice(next, next + KEY_WORDS) : range.high;
      const number = asPageNumber(page.words[slot + KEY_WORDS]);
      const expected = { level: page.level - 1, birthLow: page.words[slot + KEY_WORDS + 1], parent: page };
      if (this.#enter(number, child, { low, high }, expected)) yield* this.#below(child, { low, high });
    }
  }

  /** Counts a pointer to a page, reads it and checks it against what its parent says. */
  #enter(
    number: PageNumber,
    page: Page,
    range: KeyRange,
    expected: { readonly level: number; readonly birthLow: number; readonly parent: Page } | undefined,
  ): boolean {
    const inside = number > 0 && number < this.references.length;
    const seenBefore = inside && this.references[number] > 0;
    if (inside) this.references[number]++;
    const problem = seenBefore
      ? 'two places of the tree point to it'
      : (this.#reader.read(number, page) ?? this.#misfit(page, range, expected));
    this.pagesRead++;
    if (problem === undefined) return true;
    this.lost.push(range);
    const parent = expected === undefined ? 'the root' : `below page ${expected.parent.number}`;
    this.#findings.error('page', `page ${number}`, `${problem} (${parent})`, `lost with it: ${describeRange(range)}`);
    return false;
  }

  #misfit(
    page: Page,
    range: KeyRange,
    expected: { readonly level: number; readonly birthLow: number; readonly parent: Page } | undefined,
  ): string | undefined {
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
