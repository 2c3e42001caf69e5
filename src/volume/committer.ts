/**
 * Group commit: makes logged work durable, for many waiters with one sync.
 *
 * One commit runs at a time; whoever asks meanwhile shares the next one. It begins once the present turn of the event loop has
 * taken all requests that were waiting, so that the first of many does not sync for itself alone. A commit takes the blobs asked
 * for and those that barriers wait for, and syncs them and the log; if there is a barrier, one after the other, with a `synced`
 * record in between that says so. Only then does it resolve.
 *
 * A lone client that waits for little is served at once, on the calling thread (`commitAtOnce`): handing the sync to another thread
 * and waking up when it ends costs several times what the sync itself does (bench/HISTORY.md). Many clients are better off when
 * others are served meanwhile.
 *
 * Invariants:
 * - A commit resolves only after every record that was logged before it began is durable, and counts after a loss of power: the
 *   blobs of all barriers before it are durable, and recorded as such.
 * - A failed sync is never retried as if nothing had happened (the kernel drops what it could not write): the volume fails.
 */
import type { BlobStore } from '../blobs/blob-store.js';
import { EIO } from '../errors/errno.js';
import { DiskError } from '../store/disk.js';
import type { BlobId } from '../store/units.js';
import type { Log } from '../wal/log.js';
import type { Operation } from './operation.js';

/** More than this is not synced at once: bytes that a device takes in a millisecond or so. */
const AT_ONCE_BYTES_MAX = 512 * 1024;
/** A device that takes longer than this for a sync at once holds up all else too long, … */
const AT_ONCE_MS_MAX = 4;
/** … and is not asked for another one within so many commits. */
const SLOW_COMMITS = 64;

/** What commits need of the store. */
export interface CommittedStore {
  /** Nothing has failed so far. */
  readonly isWritable: boolean;
  append(operation: Operation): void;
  fail(error: unknown): void;
}

class Batch {
  all = false;
  readonly blobs = new Set<BlobId>();
  readonly promise: Promise<void>;
  resolve: () => void = () => undefined;
  reject: (error: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Those who wait see the error; a commit that nobody waits for must not end the process.
    this.promise.catch(() => undefined);
  }
}

export class Committer {
  readonly #log: Log;
  readonly #blobs: BlobStore;
  readonly #store: CommittedStore;
  #next: Batch | undefined;
  #running = false;
  /** Blobs that must be durable before the records which name them count. */
  #barriers = new Set<BlobId>();
  /** A record that was logged counts only when all blobs are durable. */
  #barrierOnAll = false;
  /** So many commits are left to other threads, because the device was slow. */
  #slowCommits = 0;
  /** The same of the commit that runs. */
  #barriersUnderway: ReadonlySet<BlobId> = new Set();
  #barrierOnAllUnderway = false;

  constructor(log: Log, blobs: BlobStore, store: CommittedStore) {
    this.#log = log;
    this.#blobs = blobs;
    this.#store = store;
  }

  /** A record that was logged counts after a loss of power only when this blob, or every blob, is durable. */
  addBarrier(blob: BlobId | 'all'): void {
    if (blob === 'all') this.#barrierOnAll = true;
    else this.#barriers.add(blob);
  }

  /** Durable when it resolves: everything logged so far, and the data of these blobs (or of all) written so far. */
  commit(blobs: Iterable<BlobId> | 'all'): Promise<void> {
    this.#next ??= new Batch();
    const batch = this.#next;
    if (blobs === 'all') batch.all = true;
    else for (const blob of blobs) batch.blobs.add(blob);
    if (!this.#running) {
      this.#running = true;
      queueMicrotask(() => void this.#run());
    }
    return batch.promise;
  }

  /**
   * Does what `commit` does on the calling thread, and returns true, if that takes little time; otherwise does nothing. Throws what
   * `commit` rejects with.
   */
  commitAtOnce(blobs: Iterable<BlobId> | 'all'): boolean {
    if (this.#running || this.#barrierOnAll) return false;
    if (this.#slowCommits > 0) {
      this.#slowCommits--;
      return false;
    }
    const asked = blobs === 'all' ? this.#blobs.unsynced() : [...blobs];
    let bytes = this.#log.unsyncedBytes;
    for (const blob of new Set([...asked, ...this.#barriers])) bytes += this.#blobs.unsyncedBytes(blob);
    if (bytes > AT_ONCE_BYTES_MAX) return false;
    const startedMs = performance.now();
    try {
      this.commitNow(asked);
    } catch (error) {
      if (!isLackOfLogSpace(error)) this.#store.fail(error);
      throw error;
    }
    if (performance.now() - startedMs > AT_ONCE_MS_MAX) this.#slowCommits = SLOW_COMMITS;
    return true;
  }

  /** Makes all operations so far durable at once, and the data of the blobs that barriers name and of `others`. */
  commitNow(others: Iterable<BlobId> = []): void {
    const before = this.#log.tail;
    const isOnAll = this.#barrierOnAll || this.#barrierOnAllUnderway;
    const named = [...this.#barriers, ...this.#barriersUnderway];
    const blobs = [...new Set([...(isOnAll ? this.#blobs.unsynced() : named), ...others])];
    for (const blob of blobs) this.#blobs.syncNow(blob);
    if (isOnAll) this.#store.append({ type: 'synced', before, blobs: 'all' });
    else if (named.length > 0) this.#store.append({ type: 'synced', before, blobs });
    this.#barriers.clear();
    this.#barrierOnAll = false;
    this.#log.syncNow();
  }

  async #run(): Promise<void> {
    while (this.#next !== undefined) {
      const batch = this.#next;
      this.#next = undefined;
      try {
        this.#assertSound();
        const cuts = this.#blobs.pendingCuts();
        await this.#commit(batch);
        this.#assertSound();
        batch.resolve();
        if (cuts.size > 0) await this.#blobs.cutAll(cuts);
      } catch (error) {
        if (!isLackOfLogSpace(error)) this.#store.fail(error);
        batch.reject(error);
      }
    }
    this.#running = false;
  }

  /** What has failed, here or elsewhere, may be what a commit is about, and a file that is synced again then tells nothing of it. */
  #assertSound(): void {
    if (!this.#store.isWritable) throw EIO;
  }

  async #commit(batch: Batch): Promise<void> {
    const before = this.#log.tail;
    const blobs = new Set([...batch.blobs, ...this.#barriers].filter((blob) => this.#blobs.isUnsynced(blob)));
    const isOnAll = this.#barrierOnAll;
    const all = batch.all || isOnAll;
    const barriers = this.#barriers;
    this.#barriersUnderway = barriers;
    this.#barrierOnAllUnderway = isOnAll;
    this.#barriers = new Set();
    this.#barrierOnAll = false;
    const data = all ? this.#blobs.syncAll() : Promise.all([...blobs].map((blob) => this.#blobs.sync(blob)));
    if (isOnAll || barriers.size > 0) {
      await data;
      try {
        this.#store.append({ type: 'synced', before, blobs: all ? 'all' : [...new Set([...blobs, ...barriers])] });
      } catch (error) {
        for (const blob of barriers) this.#barriers.add(blob);
        this.#barrierOnAll ||= isOnAll;
        throw error;
      }
    }
    // Without a barrier no record waits for data: what a file has grown by is told, after a loss of power, by its blob's size.
    await Promise.all([data, this.#log.isDirty ? this.#log.sync() : undefined]);
    this.#barriersUnderway = new Set();
    this.#barrierOnAllUnderway = false;
  }
}

/** The log could not grow: the commit did not happen, but nothing that was written is lost. */
const isLackOfLogSpace = (error: unknown): boolean =>
  error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT') && error.syscall !== 'fdatasync';
