/**
 * Ways to damage a store: through the volume's own state, so that everything is sealed and consistent but for the one thing; and
 * in the files, where the place of a page, a record or an item is found by the formats.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readCatalog } from '../../src/check/catalog-reading.js';
import { NO_FINDINGS } from '../../src/check/findings.js';
import type { Page } from '../../src/check/page-reader.js';
import { RecordCensus } from '../../src/check/record-census.js';
import { StoreUnderCheck } from '../../src/check/store-under-check.js';
import { TreeWalk } from '../../src/check/tree-walk.js';
import { crc32cPages } from '../../src/native/addon.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { chooseSuperblock, encodeSuperblock, type Superblock } from '../../src/store/superblock.js';
import type { PageNumber } from '../../src/store/units.js';
import { nodesSegmentName } from '../../src/tree/page-file.js';
import type { Dataset } from '../../src/volume/dataset.js';
import type { VolumeState } from '../../src/volume/state.js';
import { openStore, SEGMENT_BYTES } from './store-fixture.js';

/** Changes a store's state behind the back of its operations; the next checkpoint makes it durable as if it were right. */
export async function tamper(directory: string, change: (state: VolumeState) => void): Promise<void> {
  const store = await openStore(directory);
  store.state.pages.reserve(1024);
  change(store.main.state);
  await store.close();
}

export const superblockOf = (directory: string): Superblock => chooseSuperblock(new HostDisk(directory));

/** Writes the superblock in force anew, with other fields. */
export function changeSuperblock(directory: string, fields: Partial<Superblock>): void {
  const superblock = superblockOf(directory);
  overwrite(
    join(directory, 'superblock'),
    (superblock.sequence % 2) * PAGE_SIZE,
    encodeSuperblock({ ...superblock, ...fields }),
  );
}

export function overwrite(file: string, position: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

export function flip(file: string, position: number): void {
  const byte = readFileSync(file)[position];
  overwrite(file, position, Uint8Array.of(byte ^ 0x10));
}

// ── Pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const PAGES_PER_SEGMENT = SEGMENT_BYTES / PAGE_SIZE;

export const pagePlace = (page: number): { readonly file: string; readonly position: number } => ({
  file: nodesSegmentName(Math.floor(page / PAGES_PER_SEGMENT)),
  position: (page % PAGES_PER_SEGMENT) * PAGE_SIZE,
});

export function readPage(directory: string, page: number): Uint32Array {
  const { file, position } = pagePlace(page);
  const words = new Uint32Array(PAGE_SIZE / 4);
  const descriptor = openSync(join(directory, file), 'r');
  readSync(descriptor, new Uint8Array(words.buffer), 0, PAGE_SIZE, position);
  closeSync(descriptor);
  return words;
}

/** Writes a page with a right checksum. */
export function writePage(directory: string, page: number, words: Uint32Array): void {
  const { file, position } = pagePlace(page);
  const bytes = new Uint8Array(words.buffer);
  crc32cPages(bytes, Uint32Array.of(0), 1, 0);
  overwrite(join(directory, file), position, bytes);
}

/** The numbers of the leaves of a tree in key order. */
export function leavesOf(directory: string, root?: PageNumber): number[] {
  const numbers: number[] = [];
  eachLeaf(
    directory,
    (page) => {
      numbers.push(page.number);
      return true;
    },
    root,
  );
  return numbers;
}

/** The volumes and snapshots of a store. */
export const datasetsOf = (directory: string): readonly Dataset[] => {
  const store = new StoreUnderCheck(new HostDisk(directory, { readOnly: true }), superblockOf(directory));
  const walk = new TreeWalk(store.pages, store.superblock.epoch);
  const { datasets } = readCatalog(store, walk, new RecordCensus(store), NO_FINDINGS);
  store.close();
  return datasets;
};

/** Calls `visit` for each leaf of the volume `main`, or of another tree, until it returns false. */
export function eachLeaf(
  directory: string,
  visit: (page: Page) => boolean,
  root: PageNumber = datasetsOf(directory)[0].root,
): void {
  const store = new StoreUnderCheck(new HostDisk(directory, { readOnly: true }), superblockOf(directory));
  const walk = new TreeWalk(store.pages, store.superblock.epoch);
  for (const page of walk.leaves(root, NO_FINDINGS)) if (!visit(page)) break;
  store.close();
}

export interface FoundItem {
  readonly object: number;
  readonly minor: number;
  /** A copy of the value. */
  readonly value: Uint32Array;
}

/** The items of a kind, up to `limit`. */
export function itemsOf(directory: string, kind: number, limit = Number.POSITIVE_INFINITY): FoundItem[] {
  const found: FoundItem[] = [];
  eachLeaf(directory, (page) => {
    for (let slot = 0; slot < page.count && found.length < limit; slot++) {
      if (page.kind(slot) !== kind) continue;
      const at = page.valueWord(slot);
      const value = page.words.slice(at, at + page.valueLength(slot) / 4);
      found.push({ object: page.object(slot), minor: page.minor(slot), value });
    }
    return found.length < limit;
  });
  return found;
}
