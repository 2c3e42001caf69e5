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
 * A barrier is a record that must not count before a blob is durable: the renaming of a file with unsynced data (so that the name
 * never leads to half a file), and the move of a small file's data to a blob. Everything from an uncovered barrier on was never
 * reported as durable, for a commit covers all barriers before it: cutting there leaves a prefix of the history.
 */
import { asLsn, type BlobId, type Ino, type Lsn } from '../store/units.js';
import type { Log } from '../wal/log.js';
import { type Applier, PAGES_PER_OPERATION } from './apply/applier.js';
import { Inode, STORAGE_PACK } from './inode.js';
import { decodeOperation, encodedBytesMax, type Operation } from './operation.js';
import type { VolumeState } from './state.js';

export interface ReplayResult {
  readonly operations: number;
  readonly filesClamped: number;
  /** Where the log ended. */
  readonly end: Lsn;
}

/** The blob that must be durable before a record counts, or 0. */
const barrierOf = (operation: Operation): number => {
  if (operation.type === 'rename') return operation.barrier;
  return operation.type === 'promote' ? operation.blob : 0;
};

/** The LSN of the first barrier that no later `synced` record covers; Infinity when there is none. */
export function firstUncoveredBarrier(log: Log, from: Lsn): number {
  let open: { lsn: number; blob: number }[] = [];
  for (const record of log.records(from)) {
    const operation = decodeOperation(record.type, record.fields);
    const barrier = barrierOf(operation);
    if (barrier !== 0) open.push({ lsn: record.lsn, blob: barrier });
    if (operation.type === 'synced') {
      const { before, blobs } = operation;
      const named = blobs === 'all' ? undefined : new Set<number>(blobs);
      open = open.filter(({ lsn, blob }) => lsn >= before || (named !== undefined && !named.has(blob)));
    }
  }
  return Math.min(Number.POSITIVE_INFINITY, ...open.map(({ lsn }) => lsn));
}

/** Growth of files that no `synced` record covers. */
class UnsyncedGrowth {
  readonly #files = new Map<BlobId, { readonly ino: Ino; lsn: Lsn; floor: number }>();
  readonly #inode = new Inode();

  /** Looks at an operation before it is applied. */
  note(state: VolumeState, operation: Operation, lsn: Lsn): void {
    if (operation.type === 'writeBlob') {
      if (!this.#inode.load(state.tree, operation.ino) || operation.end <= this.#inode.size) return;
      const known = this.#files.get(operation.blob);
      if (known !== undefined) known.lsn = lsn;
      else this.#files.set(operation.blob, { ino: operation.ino, lsn, floor: this.#inode.size });
    } else if (operation.type === 'resize') {
      if (!this.#inode.load(state.tree, operation.ino)) return;
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
  clamp(state: VolumeState): number {
    let clamped = 0;
    for (const [blob, { ino, floor }] of this.#files) {
      if (!this.#inode.load(state.tree, ino) || this.#inode.blob !== blob) continue;
      state.blobs.ensure(blob);
      const size = Math.max(floor, Math.min(this.#inode.size, state.blobs.file(blob).size()));
      if (size === this.#inode.size) continue;
      state.pages.reserve(PAGES_PER_OPERATION);
      state.counters.dataBytes += size - this.#inode.size;
      this.#inode.size = size;
      this.#inode.store(state.tree);
      clamped++;
    }
    return clamped;
  }
}

/** A symlink or a directory that inherits two access control lists: name, target, and two strings for each list. */
const STRINGS_PER_OPERATION = 6;

const resized = new Inode();

/**
 * Makes sure that an operation can be applied whatever it needs, and asks for no more: on a full disk, removing and cutting must
 * work. Throws DiskError (ENOSPC).
 */
export function reserveFor(state: VolumeState, operation: Operation, pages: number): void {
  state.pages.reserve(pages);
  switch (operation.type) {
    case 'make':
    case 'link':
    case 'rename':
    case 'setXattr':
      state.strings.reserve(STRINGS_PER_OPERATION, encodedBytesMax(operation));
      return;
    case 'writeSmall':
      state.packs.reserve();
      return;
    case 'resize':
      // A small file that is cut gets a new extent.
      if (operation.size > 0 && resized.load(state.tree, operation.ino) && resized.storage === STORAGE_PACK) {
        state.packs.reserve();
      }
      return;
    case 'unlink':
    case 'setAttributes':
    case 'writeBlob':
    case 'promote':
    case 'removeXattr':
    case 'synced':
      return;
  }
}

/** Applies the log from an LSN on. */
export function replay(state: VolumeState, applier: Applier, log: Log, from: Lsn, powerLoss: boolean): ReplayResult {
  const cut = powerLoss ? firstUncoveredBarrier(log, from) : Number.POSITIVE_INFINITY;
  const growth = new UnsyncedGrowth();
  let operations = 0;
  let end = from;
  for (const record of log.records(from)) {
    end = record.end;
    const operation = decodeOperation(record.type, record.fields);
    // What a sync covered stays covered, although the record that says so may come after the cut.
    if (powerLoss && (record.lsn < cut || operation.type === 'synced')) growth.note(state, operation, record.lsn);
    if (record.lsn >= cut) continue;
    reserveFor(state, operation, PAGES_PER_OPERATION);
    if (operation.type === 'writeBlob') state.blobs.ensure(operation.blob);
    if (operation.type === 'writeBlob' || operation.type === 'promote') state.blobs.adopt(operation.blob);
    applier.apply(operation);
    state.appliedRequests.note(record.request);
    if (operation.type !== 'synced') operations++;
  }
  const filesClamped = powerLoss ? growth.clamp(state) : 0;
  if (powerLoss) state.blobs.removeFrom(state.counters.nextBlob);
  return { operations, filesClamped, end: asLsn(end) };
}
