/**
 * What a repair of a tree can build on: every leaf that can be read, and those that were found again where its branches are gone
 * (lost-pages.ts).
 */
import { CorruptionError } from '../errors/corruption.js';
import { KEY_WORDS } from '../tree/key.js';
import { shapeProblem } from './item-rules.js';
import { Leaves } from './leaves.js';
import type { LostPages } from './lost-pages.js';
import { compareKeys, Page } from './page-reader.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { Survey } from './survey.js';

/** Reads a leaf that the check has read. A repair without it would lose what is in it. */
function readAgain(leaves: Leaves, index: number, page: Page): void {
  if (leaves.read(index, page)) return;
  throw new CorruptionError(`page ${leaves.page(index)}`, 'could be read before, but cannot be any more');
}

/** The leaves that can be read and those that were found again, by their first keys. */
function survivingLeaves(store: StoreUnderCheck, survey: Survey, lostPages: LostPages): Leaves {
  const leaves = survey.leaves.through(store.pages);
  if (survey.lost.length === 0) return leaves;
  const found = lostPages.leavesWithin(survey.lost);
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

/** What is left of a tree. */
export class SurvivingTree {
  readonly survey: Survey;
  readonly leaves: Leaves;

  constructor(store: StoreUnderCheck, survey: Survey, lostPages: LostPages) {
    this.survey = survey;
    this.leaves = survivingLeaves(store, survey, lostPages);
  }

  /** The items that are possible at all, with keys that grow: of leaves that overlap the later one loses. */
  *items(): Generator<SurvivingItem> {
    const page = new Page();
    const item = { page, slot: 0 };
    const last = new Uint32Array(KEY_WORDS);
    let isFirst = true;
    for (let index = 0; index < this.leaves.length; index++) {
      readAgain(this.leaves, index, page);
      for (let slot = 0; slot < page.count; slot++) {
        const at = page.keyWord(slot);
        if (!isFirst && compareKeys(page.words, at, last, 0) <= 0) continue;
        if (shapeProblem(page, slot, this.survey.role) !== undefined) continue;
        last.set(page.words.subarray(at, at + KEY_WORDS));
        isFirst = false;
        item.slot = slot;
        yield item;
      }
    }
  }
}

export const itemKey = (object: number, kind: number, minor: number): string => `${object}/${kind}/${minor}`;
