/**
 * What a repair can build on: every leaf that can be read, and among damaged parts of the tree those leaves that the reference
 * counts say are still in use, though the branch that led to them is gone.
 *
 * A leaf that is not counted as in use is never taken: it is of the past, and what it names may be overwritten or deleted.
 */

import { CorruptionError } from '../errors/corruption.js';
import { DiskError } from '../store/disk.js';
import { KEY_WORDS } from '../tree/key.js';
import { REFERENCE_BLOCK_HEADER_WORDS, REFERENCES_PER_BLOCK } from '../tree/references.js';
import { shapeProblem } from './item-rules.js';
import { Leaves } from './leaves.js';
import { compareKeys, Page } from './page-reader.js';
import { ReferenceBlocks } from './references.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { Survey } from './survey.js';
import type { KeyRange } from './tree-walk.js';

interface FoundLeaf {
  readonly number: number;
  readonly birth: number;
  readonly firstKey: Uint32Array;
}

const isWithin = (page: Page, { low, high }: KeyRange): boolean =>
  compareKeys(page.words, page.keyWord(0), low, 0) >= 0 &&
  (high === undefined || compareKeys(page.words, page.keyWord(page.count - 1), high, 0) < 0);

function findLostLeaves(store: StoreUnderCheck, survey: Survey, references: Uint32Array): FoundLeaf[] {
  const found: FoundLeaf[] = [];
  const page = new Page();
  const consider = (number: number): void => {
    if (store.pages.read(number, page) !== undefined || page.level !== 0 || page.count === 0) return;
    if (page.birth > store.superblock.epoch || !survey.lost.some((range) => isWithin(page, range))) return;
    const at = page.keyWord(0);
    found.push({ number, birth: page.birth, firstKey: page.words.slice(at, at + KEY_WORDS) });
  };
  const blocks = new ReferenceBlocks(store);
  try {
    blocks.each((block, problem) => {
      if (problem !== undefined) return;
      const first = block * REFERENCES_PER_BLOCK;
      const last = Math.min(references.length, first + REFERENCES_PER_BLOCK);
      for (let number = Math.max(1, first); number < last; number++) {
        const isInUse = blocks.words[REFERENCE_BLOCK_HEADER_WORDS + number - first] > 0;
        if (isInUse && references[number] === 0) consider(number);
      }
    });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error; // Without counts there is nothing to go by.
  }
  return found.sort((a, b) => compareKeys(a.firstKey, 0, b.firstKey, 0) || b.birth - a.birth);
}

/** Reads a leaf that the check has read. A repair without it would lose what is in it. */
function readAgain(leaves: Leaves, index: number, page: Page): void {
  if (leaves.read(index, page)) return;
  throw new CorruptionError(`page ${leaves.page(index)}`, 'could be read before, but cannot be any more');
}

/** The leaves that can be read and those that were found again, by their first keys. */
export function survivingLeaves(store: StoreUnderCheck, survey: Survey, references: Uint32Array): Leaves {
  const leaves = survey.leaves.through(store.pages);
  if (survey.lost.length === 0) return leaves;
  const found = findLostLeaves(store, survey, references);
  const merged = new Leaves(store.pages);
  const page = new Page();
  let next = 0;
  for (let index = 0; index < leaves.length; index++) {
    readAgain(leaves, index, page);
    while (
      next < found.length &&
      page.count > 0 &&
      compareKeys(found[next].firstKey, 0, page.words, page.keyWord(0)) < 0
    ) {
      merged.add(found[next++].number);
    }
    merged.add(page.number);
  }
  while (next < found.length) merged.add(found[next++].number);
  return merged;
}

/** Something to look at: an item by its place. The page is valid until the next one is asked for. */
export interface SurvivingItem {
  readonly page: Page;
  readonly slot: number;
}

/** The items of leaves that are possible at all, with keys that grow: of leaves that overlap the later one loses. */
export function* survivingItems(leaves: Leaves): Generator<SurvivingItem> {
  const page = new Page();
  const item = { page, slot: 0 };
  const last = new Uint32Array(KEY_WORDS);
  let isFirst = true;
  for (let index = 0; index < leaves.length; index++) {
    readAgain(leaves, index, page);
    for (let slot = 0; slot < page.count; slot++) {
      const at = page.keyWord(slot);
      if (!isFirst && compareKeys(page.words, at, last, 0) <= 0) continue;
      if (shapeProblem(page, slot, 'files') !== undefined) continue;
      last.set(page.words.subarray(at, at + KEY_WORDS));
      isFirst = false;
      item.slot = slot;
      yield item;
    }
  }
}

export const itemKey = (object: number, kind: number, minor: number): string => `${object}/${kind}/${minor}`;
