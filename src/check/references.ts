/**
 * The page reference counts of a checkpoint against those that the walk counted (format: tree/references.ts).
 */
import { isCrc32cPageValid } from '../native/addon.js';
import { DiskError, type DiskFile } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { asEpoch } from '../store/units.js';
import { joinWords } from '../tree/key.js';
import { REFERENCE_BLOCK_HEADER_WORDS, REFERENCES_PER_BLOCK, referencesName } from '../tree/references.js';
import type { Findings } from './findings.js';
import type { StoreUnderCheck } from './store-under-check.js';

const BLOCK_WORDS = PAGE_SIZE / 4;

/** Pages next to each other that are counted wrongly in the same way. */
class Run {
  first = -1;
  last = -1;
  problem = '';
}

export class ReferenceBlocks {
  readonly #store: StoreUnderCheck;
  readonly name: string;
  readonly words = new Uint32Array(BLOCK_WORDS);
  readonly #bytes = new Uint8Array(this.words.buffer);
  readonly count: number;

  constructor(store: StoreUnderCheck) {
    this.#store = store;
    this.name = referencesName(store.superblock.epoch);
    // Of pages beyond the end of nodes.dat there is nothing to compare; that they are missing is found by itself.
    this.count = Math.ceil(store.pages.capacity / REFERENCES_PER_BLOCK);
  }

  /** Reads every block. `visit` gets its number and what is wrong with it; its counts are in `words`. */
  each(visit: (block: number, problem: string | undefined) => void): void {
    const file = this.#store.disk.open(this.name, 'read');
    try {
      for (let block = 0; block < this.count; block++) visit(block, this.#read(file, block));
    } finally {
      file.close();
    }
  }

  /** The count of a page; undefined where it cannot be read. */
  of(page: number): number | undefined {
    const block = Math.floor(page / REFERENCES_PER_BLOCK);
    try {
      const file = this.#store.disk.open(this.name, 'read');
      try {
        if (this.#read(file, block) !== undefined) return undefined;
        return this.words[REFERENCE_BLOCK_HEADER_WORDS + (page % REFERENCES_PER_BLOCK)];
      } finally {
        file.close();
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return undefined;
    }
  }

  #read(file: DiskFile, block: number): string | undefined {
    if (file.read(this.#bytes, 0, PAGE_SIZE, block * PAGE_SIZE) < PAGE_SIZE) return 'beyond the end of the file';
    if (!isCrc32cPageValid(this.#bytes, 0, 0)) return 'checksum does not match';
    const epoch = joinWords(this.words[3], this.words[2]);
    if (this.words[1] !== block) return `written as block ${this.words[1]}`;
    return epoch > this.#store.superblock.epoch ? `written in epoch ${epoch}, after the checkpoint` : undefined;
  }
}

/** `isWhole`: the walks reached all pages, so that what they did not reach is unused. */
export function checkReferences(
  store: StoreUnderCheck,
  references: Uint32Array,
  isWhole: boolean,
  findings: Findings,
): void {
  const blocks = new ReferenceBlocks(store);
  const run = new Run();
  const flush = (): void => {
    if (run.first < 0) return;
    const where = run.first === run.last ? `page ${run.first}` : `pages ${run.first} to ${run.last}`;
    findings.error('references', where, run.problem);
    run.first = -1;
  };
  const compare = (page: number, stored: number): void => {
    const counted = references[page];
    // What could not be read may have been what points there.
    if (stored === counted || (!isWhole && stored > counted)) return;
    const problem =
      counted === 0
        ? `counted ${stored} times as in use, but nothing leads there: lost space`
        : `reference count ${stored}, should be ${counted}${stored === 0 ? ': it would be overwritten' : ''}`;
    if (run.first >= 0 && run.last === page - 1 && run.problem === problem) run.last = page;
    else {
      flush();
      run.first = page;
      run.last = page;
      run.problem = problem;
    }
  };
  try {
    blocks.each((block, problem) => {
      if (problem !== undefined) {
        flush();
        findings.error('references', `${blocks.name} block ${block}`, problem, 'the store cannot be mounted');
        return;
      }
      const first = block * REFERENCES_PER_BLOCK;
      const last = Math.min(references.length, first + REFERENCES_PER_BLOCK);
      for (let page = Math.max(1, first); page < last; page++) {
        compare(page, blocks.words[REFERENCE_BLOCK_HEADER_WORDS + page - first]);
      }
    });
    flush();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const problem = error.code === 'ENOENT' ? 'missing' : `cannot be read (${error.code})`;
    findings.error('references', blocks.name, problem, 'the store cannot be mounted');
  }
  const other = referencesName(asEpoch(store.superblock.epoch + 1));
  if (!store.disk.exists(other)) findings.error('references', other, 'missing', 'the store cannot grow');
}
