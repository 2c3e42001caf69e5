/**
 * The space that a snapshot alone takes: what destroying it would give back.
 *
 * A page is the snapshot's own when one reference leads to it, and to all pages above it; a record or blob is, when one such leaf
 * points to it. Pages that others have too are not entered, so the time goes by what is its own. Blobs of large files count with
 * what the host has allocated for them. What an unfinished read holds on to (pinned-tree.ts) counts as shared meanwhile.
 */
import { recordBytes } from '../store/arena.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { asAddress, asBlobId, asPageNumber, type PageNumber } from '../store/units.js';
import { KEY_WORDS } from '../tree/key.js';
import { BRANCH_SLOT_WORDS, branchSlot, countOf, levelOf } from '../tree/page.js';
import type { Dataset } from './dataset.js';
import { visitLeafRecords } from './leaf-records.js';
import type { RecordKind } from './record-references.js';
import type { StoreState } from './state.js';

/** Pages looked at between requests: some hundred microseconds, more with large files. */
const PAGES_PER_SLICE = 32;

/** In bytes; 0 for a snapshot that is destroyed meanwhile. Throws CorruptionError; `signal` ends it. */
export async function ownSpace(state: StoreState, snapshot: Dataset, signal: AbortSignal): Promise<number> {
  const { pages } = state;
  const left: PageNumber[] = [snapshot.root];
  let bytes = 0;
  for (let looked = 1; left.length > 0; looked++) {
    if (looked % PAGES_PER_SLICE === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      if (state.catalog.get(snapshot.id) !== snapshot) return 0;
    }
    const page = left.pop()!;
    if (pages.count(page) !== 1) continue;
    bytes += PAGE_SIZE;
    const words = pages.words(page);
    const base = pages.base(page);
    if (levelOf(words, base) === 0) {
      visitLeafRecords(words, base, (record, number) => {
        if (!state.references.isShared(record, number)) bytes += bytesOf(state, record, number);
      });
      continue;
    }
    const end = branchSlot(base, countOf(words, base));
    for (let slot = branchSlot(base, 0); slot < end; slot += BRANCH_SLOT_WORDS) {
      left.push(asPageNumber(words[slot + KEY_WORDS]));
    }
  }
  return bytes;
}

function bytesOf({ strings, packs, blobs }: StoreState, record: RecordKind, number: number): number {
  switch (record) {
    case 'string':
      return recordBytes(strings.arena.capacity(asAddress(number)));
    case 'extent':
      return recordBytes(packs.arena.capacity(asAddress(number)));
    case 'blob':
      return blobs.file(asBlobId(number)).allocatedBytes();
  }
}
