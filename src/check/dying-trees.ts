/**
 * The trees of destroyed snapshots and volumes whose pages have not all been given back: what only they reach still counts as used.
 */

import type { PageNumber } from '../store/units.js';
import { hasBlob } from '../volume/inode.js';
import {
  KIND_DATASET,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_PART,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
} from '../volume/items.js';
import type { Findings } from './findings.js';
import { readRecord } from './inode-record.js';
import { shapeProblem, type TreeRole } from './item-rules.js';
import type { Page } from './page-reader.js';
import { pause } from './pause.js';
import type { RecordCensus } from './record-census.js';
import { ReferenceBlocks } from './references.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { TreeWalk } from './tree-walk.js';

const LEAVES_BETWEEN_PAUSES = 256;

/** Counts what the items of a leaf point to, without judging it. */
export function countLeaf(store: StoreUnderCheck, census: RecordCensus, page: Page, role: TreeRole): void {
  const count = (kind: 'string' | 'extent', slot: number, word: number): void => {
    const address = readU64(page.words, page.valueWord(slot) + word);
    const reader = kind === 'string' ? store.strings : store.packs;
    reader.read(address, undefined, page.kind(slot), page.minor(slot));
    if (address !== 0) census.addRecord(kind, address, reader.size);
  };
  for (let slot = 0; slot < page.count; slot++) {
    if (shapeProblem(page, slot, role) !== undefined) continue;
    const at = page.valueWord(slot);
    switch (page.kind(slot)) {
      case KIND_INODE: {
        const { storage, blob } = readRecord(page.words, at);
        if (hasBlob(storage)) census.addBlob(blob);
        break;
      }
      case KIND_PART:
        census.addBlob(readU64(page.words, at));
        break;
      case KIND_XATTR:
        count('string', slot, 0);
        count('string', slot, 2);
        break;
      case KIND_DIRENT:
        count('string', slot, 2);
        break;
      case KIND_SYMLINK:
        count('string', slot, 0);
        break;
      case KIND_EXTENT:
        count('extent', slot, 0);
        break;
      case KIND_DATASET:
        count('string', slot, 10);
        count('string', slot, 12);
        break;
    }
  }
}

/** Walks what is dying, after all other trees. */
export async function checkDying(
  store: StoreUnderCheck,
  walk: TreeWalk,
  dying: ReadonlyMap<PageNumber, number>,
  census: RecordCensus,
  findings: Findings,
): Promise<void> {
  let leaves = 0;
  const blocks = new ReferenceBlocks(store);
  for (const [page, count] of dying) {
    const isPage = page < walk.references.length;
    // Each time is one of the references to the page.
    const countMax = isPage ? (blocks.of(page) ?? count) : 0;
    if (count === 0 || count > countMax) {
      const problem = `to be given up ${count} times, which cannot be`;
      findings.error('dying', `page ${page}`, problem, 'the store cannot be mounted');
    }
    const possible = Math.min(count, countMax);
    if (possible === 0) continue;
    for (const leaf of walk.dyingLeaves(page, possible, findings)) {
      countLeaf(store, census, leaf, 'files');
      if (++leaves % LEAVES_BETWEEN_PAUSES === 0) await pause();
    }
  }
}
