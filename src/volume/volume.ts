/**
 * An open volume, or a snapshot to read from: what the filesystem on it sees of the store.
 */
import { EROFS } from '../errors/errno.js';
import type { Disk } from '../store/disk.js';
import type { BlobId, Ino } from '../store/units.js';
import type { Timestamp } from './inode.js';
import { KIND_INODE } from './items.js';
import type { FileOperation } from './operation.js';
import type { VolumeState } from './state.js';
import type { Store } from './store.js';

export class Volume {
  readonly store: Store;
  readonly state: VolumeState;
  readonly #ownReadOnlyReason: string;

  /** `readOnlyReason`: empty for what may be changed as long as the store may. */
  constructor(store: Store, state: VolumeState, readOnlyReason: string) {
    this.store = store;
    this.state = state;
    this.#ownReadOnlyReason = readOnlyReason;
  }

  /** Empty while the volume can be changed; otherwise why it cannot. */
  get readOnlyReason(): string {
    return this.#ownReadOnlyReason || this.store.readOnlyReason;
  }

  /** Throws EROFS when nothing may be changed. */
  assertWritable(): void {
    if (this.readOnlyReason !== '') throw EROFS;
  }

  /** The present, for time stamps. */
  now(): Timestamp {
    return this.store.now();
  }

  /** A number for a new inode; it counts as used once an operation makes the inode. */
  get nextIno(): Ino {
    return this.state.store.counters.nextIno;
  }

  get nextBlob(): BlobId {
    return this.state.store.counters.nextBlob;
  }

  /** A change that was to make a blob has failed before it was logged. */
  abandonNextBlob(): void {
    const { store, blobs } = this.state;
    const { nextBlob } = this;
    if (blobs.abandon(nextBlob)) store.takeBlob(nextBlob);
  }

  /** Whether a snapshot has the blob of a file too, which must then stay as it is. */
  isShared(ino: Ino, blob: BlobId): boolean {
    const { tree, store } = this.state;
    if (store.references.isShared('blob', blob)) return true;
    const mayBeShared = store.catalog.hasSharedTrees || store.dying.length + store.pinned.length > 0;
    return mayBeShared && tree.find(ino, KIND_INODE, 0) && tree.isShared;
  }

  /** See `Store.perform`. */
  perform(operation: FileOperation, request: number, logged?: () => void): void {
    this.assertWritable();
    this.store.perform(this.state.dataset.id, operation, request, logged);
  }

  /** The host has no space: a checkpoint begins, which gives back what was removed since the last one. */
  afterLackOfSpace(): void {
    this.store.afterLackOfSpace();
  }

  /** Removes an inode without a name that nobody uses any more. Without space for that it stays until the next mount. */
  reclaim(ino: Ino): void {
    if (this.#ownReadOnlyReason === '') this.store.sweeper.reclaim(this.state, ino);
  }

  /** Whether a request that is sent again, after the process before this one died, had been applied. */
  wasApplied(request: number): boolean {
    return this.store.wasApplied(request);
  }

  /** Durable when it resolves: all operations so far, and the data of these blobs or of all. */
  commit(blobs: Iterable<BlobId> | 'all'): Promise<void> {
    return this.store.commit(blobs);
  }

  /** The same at once, on the calling thread, if that takes little time; false when it does not, and `commit` is to be used. */
  commitAtOnce(blobs: Iterable<BlobId> | 'all'): boolean {
    return this.store.commitAtOnce(blobs);
  }

  /** In sync durability, the commit that the last change must wait for; undefined when there is nothing to wait for. */
  pendingCommit(sync: boolean, isLone: boolean): Promise<void> | undefined {
    return this.store.pendingCommit(sync, isLone);
  }

  get isSync(): boolean {
    return this.store.isSync;
  }

  /** Cuts a blob to its size as logged, at once and durably: all operations are made so first, since none may then be taken back. */
  cutNow(blob: BlobId, size: number): void {
    this.store.cutNow(blob, size);
  }

  get disk(): Disk {
    return this.store.disk;
  }
}
