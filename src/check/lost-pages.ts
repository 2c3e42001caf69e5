/**
 * Pages that the stored reference counts say are in use, though the branch or the record that led to them is gone.
 *
 * A page that something unreadable points to is stored with a higher count than the walk over what can be read has found: the
 * difference is what was lost. A page that is not counted as in use is never taken: it is of the past, and what it points to may be
 * overwritten or deleted.
 */
import { DiskError } from '../store/disk.js';
import { asPageNumber, type PageNumber, ROOT_INO } from '../store/units.js';
import { KEY_WORDS } from '../tree/key.js';
import { REFERENCE_BLOCK_HEADER_WORDS, REFERENCES_PER_BLOCK } from '../tree/references.js';
import { KIND_INODE } from '../volume/items.js';
import { compareKeys, Page } from './page-reader.js';
import { ReferenceBlocks } from './references.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { KeyRange } from './tree-walk.js';

/** A leaf that was found again. */
export interface FoundLeaf {
  readonly number: number;
  readonly birth: number;
  readonly firstKey: Uint32Array;
}

export class LostPages {
  readonly #store: StoreUnderCheck;
  readonly #counted: Uint32Array;
  /** The counts of the checkpoint; 0 where they cannot be read. */
  readonly #stored: Uint32Array;

  /** `counted`: references that the walks over all trees have found. */
  constructor(store: StoreUnderCheck, counted: Uint32Array) {
    this.#store = store;
    this.#counted = counted;
    this.#stored = readCounts(store, counted.length);
  }

  /** Pages with more references than there are, that can be read. `also` are further references that are known. */
  *#underCounted(page: Page, also?: Uint32Array): Generator<Page> {
    for (let number = 1; number < this.#counted.length; number++) {
      if (this.#stored[number] <= this.#counted[number] + (also?.[number] ?? 0)) continue;
      if (this.#canRead(number, page)) yield page;
    }
  }

  #canRead(number: number, page: Page): boolean {
    return this.#store.pages.read(number, page) === undefined && page.birth <= this.#store.superblock.epoch;
  }

  /** The leaves below lost parts of a tree, by their first keys, the newest of those with the same one first. */
  leavesWithin(lost: readonly KeyRange[]): FoundLeaf[] {
    const found: FoundLeaf[] = [];
    const seen = new Set<number>();
    const take = (page: Page): void => {
      if (seen.has(page.number)) return;
      seen.add(page.number);
      if (page.level > 0) {
        const child = new Page();
        for (const number of childrenOf(page)) {
          if (this.#canRead(number, child) && child.level === page.level - 1) take(child);
        }
      } else if (page.count > 0 && lost.some((range) => isWithin(page, range))) {
        const at = page.keyWord(0);
        found.push({ number: page.number, birth: page.birth, firstKey: page.words.slice(at, at + KEY_WORDS) });
      }
    };
    for (const page of this.#underCounted(new Page())) take(page);
    return found.sort((a, b) => compareKeys(a.firstKey, 0, b.firstKey, 0) || b.birth - a.birth);
  }

  /** Roots of trees with a root directory that the catalog does not name, the one that was changed last first. */
  roots(): PageNumber[] {
    const within = new Uint32Array(this.#counted.length);
    const page = new Page();
    for (let number = 1; number < this.#counted.length; number++) {
      if (this.#counted[number] > 0 || this.#stored[number] === 0 || !this.#canRead(number, page)) continue;
      if (page.level > 0) for (const child of childrenOf(page)) if (child < within.length) within[child]++;
    }
    const roots: { readonly number: PageNumber; readonly birth: number; readonly inoMax: number }[] = [];
    for (const { number, birth } of this.#underCounted(page, within)) {
      if (!this.#hasRootDirectory(number)) continue;
      roots.push({ number: asPageNumber(number), birth, inoMax: this.#highestInode(number) });
    }
    // Where a snapshot is as young as its volume, the volume is the one in which inodes were made since.
    const order = roots.sort((a, b) => b.birth - a.birth || b.inoMax - a.inoMax || b.number - a.number);
    return order.map(({ number }) => number);
  }

  #highestInode(root: number): number {
    const page = new Page();
    let number = root;
    for (let level = -1; this.#canRead(number, page) && page.count > 0; level = page.level - 1) {
      if (level >= 0 && page.level !== level) return 0;
      if (page.level === 0) return page.object(page.count - 1);
      number = page.words[page.keyWord(page.count - 1) + KEY_WORDS];
    }
    return 0;
  }

  #hasRootDirectory(root: number): boolean {
    const key = Uint32Array.of(0, ROOT_INO, KIND_INODE << 24, 0);
    const page = new Page();
    let number = root;
    for (let level = -1; this.#canRead(number, page) && (level < 0 || page.level === level); level = page.level - 1) {
      if (page.level === 0) {
        for (let slot = 0; slot < page.count; slot++) {
          if (compareKeys(page.words, page.keyWord(slot), key, 0) === 0) return true;
        }
        return false;
      }
      let index = 0;
      while (index + 1 < page.count && compareKeys(page.words, page.keyWord(index + 1), key, 0) <= 0) index++;
      number = page.words[page.keyWord(index) + KEY_WORDS];
    }
    return false;
  }
}

const childrenOf = (page: Page): number[] =>
  Array.from({ length: page.count }, (_, index) => page.words[page.keyWord(index) + KEY_WORDS]);

const isWithin = (page: Page, { low, high }: KeyRange): boolean =>
  compareKeys(page.words, page.keyWord(0), low, 0) >= 0 &&
  (high === undefined || compareKeys(page.words, page.keyWord(page.count - 1), high, 0) < 0);

function readCounts(store: StoreUnderCheck, length: number): Uint32Array {
  const counts = new Uint32Array(length);
  const blocks = new ReferenceBlocks(store);
  try {
    blocks.each((block, problem) => {
      if (problem !== undefined) return;
      const first = block * REFERENCES_PER_BLOCK;
      const last = Math.min(length, first + REFERENCES_PER_BLOCK);
      for (let page = Math.max(1, first); page < last; page++) {
        counts[page] = blocks.words[REFERENCE_BLOCK_HEADER_WORDS + page - first];
      }
    });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error; // Without counts there is nothing to go by.
  }
  return counts;
}
