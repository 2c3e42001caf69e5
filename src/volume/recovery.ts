/**
 * Recovery: what a mount does with the log that an earlier one left behind.
 *
 *   superblock   boot id     what the log holds                            what happens
 *   clean        any         nothing                                       nothing
 *   not clean    the same    everything that was logged: the page cache    all valid records are applied
 *                            has outlived the process
 *   not clean    another     a prefix, and blobs lack what was not synced  valid records are applied up to the first barrier
 *                                                                          that no `synced` record covers; files whose growth
 *                                                                          was not synced are cut to the data that is there
 *
 * Records that follow beyond the end of the log are damage (checkNothingFollows in wal/log.ts), but for what a loss of power leaves.
 *
 * A barrier is a record that must not count before a blob is durable: the renaming of a file with unsynced data (so that the name
 * never leads to half a file), the move of data from a pack or from another blob to a blob, and a snapshot, which waits for all. Everything from an uncovered barrier on was never
 * reported as durable, for a commit covers all barriers before it: cutting there leaves a prefix of the history.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asLsn, type BlobId, type DatasetId, type Ino, type Lsn, NO_BLOB } from '../store/units.js';
import type { Log } from '../wal/log.js';
import { PAGES_PER_OPERATION } from './apply/applier.js';
import type { StoreApplier } from './apply/store-applier.js';
import { Inode } from './inode.js';
import type { Operation } from './operation.js';
import { decodeOperation } from './operation-codec.js';
import { charge } from './quota-groups.js';
import { reserveFor } from './reserve.js';
import type { StoreState } from './state.js';
import { Sweeper } from './sweeper.js';

export interface ReplayResult {
  readonly operationsReplayed: number;
  readonly filesClamped: number;
  /** Where the log ended. */
  readonly end: Lsn;
}

/** The blob that must be durable before a record counts, `all` for every blob, or undefined. */
export const barrierOf = (operation: Operation): BlobId | 'all' | undefined => {
  switch (operation.type) {
    case 'rename':
      return operation.barrier === NO_BLOB ? undefined : operation.barrier;
    case 'promote':
    case 'takeChunks':
      return operation.blob;
    case 'createVolume':
    case 'createSnapshot':
    case 'rollback':
    case 'adopt':
      return 'all';
    default:
      return undefined;
  }
};

/** The LSN of the first barrier that no later `synced` record covers; Infinity when there is none. */
export function firstUncoveredBarrier(log: Log, from: Lsn): number {
  let open: { readonly lsn: number; readonly blob: BlobId | 'all' }[] = [];
  for (const record of log.records(from)) {
    const operation = decodeOperation(record.type, record.fields);
    const barrier = barrierOf(operation);
    if (barrier !== undefined) open.push({ lsn: record.lsn, blob: barrier });
    if (operation.type === 'synced') {
      const { before, blobs } = operation;
      const named = blobs === 'all' ? undefined : new Set<BlobId | 'all'>(blobs);
      open = open.filter(({ lsn, blob }) => lsn >= before || (named !== undefined && !named.has(blob)));
    }
  }
  return Math.min(Number.POSITIVE_INFINITY, ...open.map(({ lsn }) => lsn));
}

/** Growth of files that no `synced` record covers. */
class UnsyncedGrowth {
  readonly #files = new Map<BlobId, { readonly dataset: DatasetId; readonly ino: Ino; lsn: Lsn; floor: number }>();
  readonly #inode = new Inode();

  /** Looks at an operation before it is applied. */
  note(store: StoreState, dataset: DatasetId, operation: Operation, lsn: Lsn): void {
    if (operation.type === 'writeBlob') {
      const { tree } = store.volume(dataset);
      if (!this.#inode.load(tree, operation.ino) || operation.end <= this.#inode.size) return;
      const known = this.#files.get(operation.blob);
      if (known !== undefined) known.lsn = lsn;
      else this.#files.set(operation.blob, { dataset, ino: operation.ino, lsn, floor: this.#inode.size });
    } else if (operation.type === 'resize') {
      if (!this.#inode.load(store.volume(dataset).tree, operation.ino)) return;
      const known = this.#files.get(this.#inode.blob);
      if (known !== undefined) known.floor = operation.size;
    } else if (operation.type === 'synced') {
      for (const [blob, { lsn: grown }] of this.#files) {
        const named = operation.blobs === 'all' || operation.blobs.includes(blob);
        if (named && grown < operation.before) this.#files.delete(blob);
      }
    }
  }

  /** Cuts the files to the data that is there. Returns how many. */
  clamp(store: StoreState): number {
    let clamped = 0;
    for (const [blob, { dataset, ino, floor }] of this.#files) {
      if (store.catalog.get(dataset) === undefined) continue;
      const state = store.volume(dataset);
      if (!this.#inode.load(state.tree, ino) || this.#inode.blob !== blob) continue;
      state.blobs.ensure(blob);
      const size = Math.max(floor, Math.min(this.#inode.size, state.blobs.file(blob).size()));
      if (size === this.#inode.size) continue;
      state.pages.reserve(PAGES_PER_OPERATION);
      state.dataset.dataBytes += size - this.#inode.size;
      charge(state.tree, this.#inode.quotaGroup, size - this.#inode.size, 0);
      this.#inode.size = size;
      this.#inode.store(state.tree);
      clamped++;
    }
    return clamped;
  }
}

/** The last change in a log meets damage (open-store.ts). */
export class UnappliedChange extends CorruptionError {
  /** Of its record. */
  readonly lsn: Lsn;

  constructor(lsn: Lsn, { where, problem }: CorruptionError) {
    super(where, problem);
    this.lsn = lsn;
  }
}

/** Whether no change is logged from an LSN on. */
function isEnd(log: Log, lsn: Lsn): boolean {
  for (const { type, fields } of log.records(lsn)) if (decodeOperation(type, fields).type !== 'synced') return false;
  return true;
}

/** Applies the log from an LSN on, up to another. Throws UnappliedChange, CorruptionError, DiskError. */
export function replay(
  state: StoreState,
  applier: StoreApplier,
  log: Log,
  from: Lsn,
  upTo: number,
  powerLoss: boolean,
): ReplayResult {
  const cut = Math.min(upTo, powerLoss ? firstUncoveredBarrier(log, from) : Number.POSITIVE_INFINITY);
  const growth = new UnsyncedGrowth();
  const sweeper = new Sweeper(state, applier);
  const { blobs } = state;
  let operationsReplayed = 0;
  let end = from;
  for (const record of log.records(from)) {
    end = record.end;
    const operation = decodeOperation(record.type, record.fields);
    // What a sync covered stays covered, although the record that says so may come after the cut.
    if (powerLoss && (record.lsn < cut || operation.type === 'synced')) {
      growth.note(state, record.dataset, operation, record.lsn);
    }
    if (record.lsn >= cut) continue;
    sweeper.sweepFor(record.dataset, operation);
    reserveFor(state, record.dataset, operation, PAGES_PER_OPERATION);
    if (operation.type === 'writeBlob' || operation.type === 'branchBlob') blobs.ensure(operation.blob);
    if (isAboutBlob(operation)) blobs.adopt(operation.blob);
    try {
      applier.apply(record.dataset, operation);
    } catch (error) {
      if (!(error instanceof CorruptionError) || !isEnd(log, record.end)) throw error;
      throw new UnappliedChange(record.lsn, error);
    }
    state.appliedRequests.note(record.request);
    if (operation.type !== 'synced') operationsReplayed++;
  }
  const filesClamped = powerLoss ? growth.clamp(state) : 0;
  state.counters.nextBlob = blobs.removeFrom(state.counters.nextBlob);
  return { operationsReplayed, filesClamped, end: asLsn(end) };
}

const isAboutBlob = (operation: Operation): operation is Extract<Operation, { readonly blob: BlobId }> =>
  'blob' in operation;
