/**
 * Walks trees leaf by leaf, checking each page as it is on disk, past damaged ones, while the trees change between the steps:
 * nothing is kept from one step to the next but a key.
 *
 * What trees share is met once: a page that has been passed, with all below it, is passed over in the trees that follow, and so is
 * a damaged one.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asPageNumber, type PageNumber } from '../store/units.js';
import { compareKey, KEY_WORDS } from './key.js';
import { BRANCH_SLOT_WORDS, branchSlot, countOf, levelOf, PAGE_WORDS, WORD_BIRTH } from './page.js';
import type { PageStore } from './page-store.js';
import { SeenPages } from './seen-pages.js';

/** The four words of a key (key.ts). */
export type KeyWords = Uint32Array;

/** What a parent says of a child. */
interface Expected {
  readonly level: number;
  readonly birth: number;
}

export interface ScannedLeaf {
  /** The leaf, the page that is damaged, or one that has been passed with all below it. */
  readonly page: PageNumber;
  /** The page was met before: there is nothing to do. */
  readonly isKnown: boolean;
  /** What is wrong with it; empty for a leaf that can be read. */
  readonly problem: string;
  /** Where the next step begins; undefined at the end of the tree. */
  readonly next: KeyWords | undefined;
}

export class LeafScan {
  readonly #pages: PageStore;
  /** Pages found to be valid on disk: branches are met again with each of their leaves. */
  readonly #verified = new Set<PageNumber>();
  /** Pages that were passed with all below them: of checkpoints that are durable, so that they stay as they are. */
  readonly #passed = new SeenPages();
  readonly #damaged = new Set<PageNumber>();
  #bytes = 0;

  constructor(pages: PageStore) {
    this.#pages = pages;
  }

  /** Bytes of pages that were checked. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Goes to the leaf in whose range a key is. A tree is to be walked from its first key to its last. */
  step(root: PageNumber, from: KeyWords): ScannedLeaf {
    let page = root;
    let next: KeyWords | undefined;
    let expected: Expected | undefined;
    /** Pages on the way whose last child is the next page on the way. */
    let ending: PageNumber[] = [];
    for (;;) {
      if (this.#damaged.has(page)) return { page, isKnown: true, problem: '', next };
      const problem = this.#problem(page, expected);
      if (problem !== undefined) {
        this.#damaged.add(page);
        this.#pass(ending);
        return { page, isKnown: false, problem, next };
      }
      const words = this.#pages.words(page);
      const base = this.#pages.base(page);
      const level = levelOf(words, base);
      const isKnown = this.#passed.has(page, words[base + WORD_BIRTH]);
      if (level === 0 || isKnown) {
        this.#pass([...ending, page]);
        return { page, isKnown, problem: '', next };
      }
      const index = childIndex(words, base, from);
      const slot = branchSlot(base, index);
      if (index + 1 < countOf(words, base)) {
        const after = slot + BRANCH_SLOT_WORDS;
        next = words.slice(after, after + KEY_WORDS);
        ending = [];
      } else {
        ending.push(page);
      }
      expected = { level: level - 1, birth: words[slot + KEY_WORDS + 1] };
      page = asPageNumber(words[slot + KEY_WORDS]);
    }
  }

  #pass(pages: readonly PageNumber[]): void {
    for (const page of pages) if (this.#pages.isSealed(page)) this.#passed.add(page, this.#birth(page));
  }

  #birth(page: PageNumber): number {
    return this.#pages.words(page)[this.#pages.base(page) + WORD_BIRTH];
  }

  /** What is wrong with a page; `expected` is what its parent says of it. */
  #problem(page: PageNumber, expected: Expected | undefined): string | undefined {
    try {
      return this.#verify(page) ?? this.#mismatch(page, expected);
    } catch (error) {
      if (error instanceof CorruptionError) return error.problem;
      throw error;
    }
  }

  #verify(page: PageNumber): string | undefined {
    if (this.#verified.has(page) || !this.#pages.isSealed(page)) return undefined;
    const problem = this.#pages.file.verify(page);
    if (problem !== undefined) return problem;
    this.#bytes += PAGE_WORDS * 4;
    this.#verified.add(page);
    return undefined;
  }

  #mismatch(page: PageNumber, expected: Expected | undefined): string | undefined {
    if (expected === undefined) return undefined;
    const words = this.#pages.words(page);
    const base = this.#pages.base(page);
    const fits = levelOf(words, base) === expected.level && words[base + WORD_BIRTH] === expected.birth;
    return fits ? undefined : 'not the page that its parent points to';
  }

  /** Leaves are met once: only the branches on the way to the next one are worth remembering. */
  forget(page: PageNumber): void {
    this.#verified.delete(page);
  }
}

/** The last slot of a branch whose key is not greater; slot 0 stands for everything below slot 1. */
function childIndex(words: Uint32Array, base: number, key: KeyWords): number {
  let low = 0;
  let high = countOf(words, base) - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (compareKey(words, branchSlot(base, middle), key[0], key[1], key[2], key[3]) <= 0) low = middle;
    else high = middle - 1;
  }
  return low;
}
