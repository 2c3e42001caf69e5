/**
 * An open store: operations on its volumes go in one by one, are logged, applied, and made durable.
 *
 * Invariants:
 * - An operation is logged before it is applied, and applied before `perform` returns.
 * - Space for all that an operation needs is reserved before it is logged: it happens wholly or is refused (ENOSPC).
 * - After damage or a failed sync nothing is changed any more (`readOnlyReason`): what is on disk stays as recovery needs it.
 */
import { EIO, EROFS } from '../errors/errno.js';
import { type Disk, DiskError } from '../store/disk.js';
import { chooseSuperblock, FORMAT_VERSION, type Superblock, SuperblockFile } from '../store/superblock.js';
import { asLsn, type BlobId, type DatasetId, type Lsn, MAIN_VOLUME } from '../store/units.js';
import { Log } from '../wal/log.js';
import { PAGES_PER_OPERATION } from './apply/applier.js';
import { StoreApplier } from './apply/store-applier.js';
import { Checkpointer } from './checkpoint.js';
import { type CommittedStore, Committer } from './committer.js';
import { Compactor } from './compaction.js';
import { createStore } from './create.js';
import { type Dataset, MAIN_NAME } from './dataset.js';
import { checkDatasets } from './datasets-needed.js';
import { figuresOf } from './figures.js';
import type { Timestamp } from './inode.js';
import { isLackOfSpace, type MaintainedStore, Maintenance } from './maintenance.js';
import { bringUpToDate, startLog } from './opening.js';
import type { Operation } from './operation.js';
import { encodedBytesMax, encodeOperation, operationCode } from './operation-codec.js';
import { NO_RECOVERY, type RecoveryReport, type StoreOptions, type StoreStatus } from './options.js';
import { Reaper } from './reaper.js';
import { barrierOf } from './recovery.js';
import { pagesKept, reserveFor } from './reserve.js';
import { StoreState } from './state.js';
import { Sweeper } from './sweeper.js';
import { Volume } from './volume.js';

export class Store implements MaintainedStore, CommittedStore {
  readonly #disk: Disk;
  readonly #options: StoreOptions;
  readonly #superblock: Superblock;
  readonly #mountCount: number;
  readonly state: StoreState;
  /** In sync durability: each change is made durable before it is answered (`pendingCommit`). */
  readonly isSync: boolean;
  readonly #log: Log;
  readonly #applier: StoreApplier;
  readonly sweeper: Sweeper;
  readonly #superblockFile: SuperblockFile | undefined;
  readonly #committer: Committer;
  readonly #checkpointer: Checkpointer | undefined;
  #recovery: RecoveryReport | undefined;
  #readOnlyReason = '';
  #maintenance: Maintenance | undefined;
  #closed = false;
  /** The log's tail when a commit was last asked for by `pendingCommit`. */
  #committedTail = asLsn(0);

  // ── Making and opening ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a store with an empty root directory on a disk that has none. Throws StoreError and DiskError. */
  static readonly create = createStore;

  /** Opens a store, recovering it if need be. Throws StoreError, CorruptionError and DiskError. */
  static async open(disk: Disk, options: StoreOptions): Promise<Store> {
    const superblock = chooseSuperblock(disk);
    if (options.readOnly && !superblock.clean) {
      // As other filesystems do: the log is applied even so, and then nothing more is written.
      const recovering = await Store.open(disk, { ...options, readOnly: false });
      const report = recovering.recovery;
      await recovering.close();
      const store = new Store(disk, options, chooseSuperblock(disk));
      store.#recovery = report;
      return store;
    }
    const store = new Store(disk, options, superblock);
    try {
      await store.#start();
    } catch (error) {
      store.#release();
      throw error;
    }
    return store;
  }

  private constructor(disk: Disk, options: StoreOptions, superblock: Superblock) {
    const { geometry, uuid, label, createdMs } = superblock;
    const { readOnly } = options;
    this.#disk = disk;
    // 32 hexadecimal digits.
    const bootId = options.bootId.replaceAll('-', '');
    this.#options = { ...options, bootId };
    this.isSync = options.durability === 'sync';
    this.#superblock = superblock;
    this.#mountCount = superblock.mountCount + (readOnly ? 0 : 1);
    this.state = new StoreState(disk, superblock, readOnly);
    this.#log = Log.open(disk, uuid, geometry.logSegmentBytes, readOnly);
    this.#applier = new StoreApplier(this.state);
    this.sweeper = new Sweeper(this.state, this.#applier, this);
    this.#committer = new Committer(this.#log, this.state.blobs, this);
    if (readOnly) {
      this.#readOnlyReason = 'mounted read-only';
      this.#superblockFile = undefined;
      this.#checkpointer = undefined;
      return;
    }
    this.#superblockFile = new SuperblockFile(disk, 'write');
    const identity = { uuid, label, geometry, createdMs, mountCount: this.#mountCount, bootId };
    this.#checkpointer = new Checkpointer(this.state, this.#log, this.#superblockFile, identity, superblock.sequence);
  }

  /** Recovers, and begins a new stretch of the log. */
  async #start(): Promise<void> {
    const startedMs = performance.now();
    const superblock = this.#superblock;
    const { lsn, clean } = superblock;
    const checkpointer = this.#checkpointer;
    if (checkpointer === undefined) {
      this.#log.checkNothingFollows(lsn, false);
      return;
    }
    // A process that died may have written the superblock without syncing it. What its predecessor needs is about to be reused.
    this.#superblockFile?.syncNow();
    const { state } = this;
    const log = this.#log;
    const { bookkeeping } = checkpointer;
    const { end, ...found } = bringUpToDate(superblock, state, this.#applier, log, bookkeeping, this.#options);
    const isResumed = this.#options.resume === true;
    const orphansReclaimed = isResumed ? 0 : this.#reclaimOrphans();
    if (!isResumed) state.appliedRequests.clear();
    await startLog(log, checkpointer, end, clean ? undefined : lsn);
    await checkpointer.run(false);
    const milliseconds = performance.now() - startedMs;
    this.#recovery = { clean, ...found, orphansReclaimed, milliseconds };
    this.#maintenance = new Maintenance(
      this,
      this.#committer,
      checkpointer,
      new Compactor(this.state),
      new Reaper(this.state),
      this.sweeper,
      this.#options.log,
      this.#options.commitIntervalMs,
    );
    if (this.hasDying) this.#maintenance.reap();
    if (this.sweeper.isNeeded) this.#maintenance.sweep();
  }

  get recovery(): RecoveryReport {
    return this.#recovery ?? NO_RECOVERY;
  }

  // ── Changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Empty while the volume can be changed; otherwise why it cannot. */
  get readOnlyReason(): string {
    return this.#readOnlyReason;
  }

  get isWritable(): boolean {
    return this.#readOnlyReason === '';
  }

  /** It was opened to be read only, and does not become writable. */
  get isOpenedReadOnly(): boolean {
    return this.#options.readOnly;
  }

  /** Some operation, or some data, is not durable yet. */
  get isDirty(): boolean {
    return this.#log.isDirty || this.state.blobs.hasUnsynced;
  }

  /** The end of the log. */
  get tail(): Lsn {
    return this.#log.tail;
  }

  get hasLogSpace(): boolean {
    return this.#log.hasSpare;
  }

  /** There are trees to be given up. */
  get hasDying(): boolean {
    return this.state.dying.length > 0;
  }

  /** Throws EROFS when nothing may be changed. */
  assertWritable(): void {
    if (this.#readOnlyReason !== '') throw EROFS;
  }

  /** The present, for time stamps. */
  now(): Timestamp {
    return this.#options.now();
  }

  /** The present, in milliseconds since 1970. */
  nowMs(): number {
    const { seconds, nanoseconds } = this.now();
    return seconds * 1000 + nanoseconds / 1e6;
  }

  /**
   * Logs and applies an operation that fits the present state, calling `logged` in between. Throws EROFS, DiskError (ENOSPC), and
   * StoreError for a volume or snapshot that has been destroyed, with nothing changed. Whatever is thrown between the record and the end
   * of the operation fails the store: later records must not follow one that was not applied.
   */
  perform(volume: DatasetId, operation: Operation, request: number, logged?: () => void): void {
    this.assertWritable();
    checkDatasets(this.state.catalog, volume, operation);
    try {
      this.sweeper.sweepFor(volume, operation);
      reserveFor(this.state, volume, operation, PAGES_PER_OPERATION + pagesKept(operation));
      this.#append(volume, operation, request);
    } catch (error) {
      if (isLackOfSpace(error)) this.#maintenance?.afterLackOfSpace();
      else if (error instanceof DiskError) this.fail(error);
      throw error;
    }
    try {
      logged?.();
      this.#applier.apply(volume, operation);
    } catch (error) {
      this.fail(error);
      throw error;
    }
    this.state.appliedRequests.note(request);
    const barrier = barrierOf(operation);
    if (barrier !== undefined) this.#committer.addBarrier(barrier);
    this.#maintenance?.afterOperation();
    if (operation.type === 'rollback') this.#maintenance?.sweep();
  }

  /** Resolves when no volume has removed trees any more, or when sweeping them cannot go on for now. */
  async swept(): Promise<void> {
    await this.#maintenance?.swept();
  }

  /** Gives up dying trees in the background. */
  reap(): void {
    this.#maintenance?.reap();
  }

  /** The host has no space: a checkpoint begins, which gives back what was removed since the last one. */
  afterLackOfSpace(): void {
    this.#maintenance?.afterLackOfSpace();
  }

  /** Logs what commits say of themselves. */
  append(operation: Operation): void {
    this.#append(MAIN_VOLUME, operation, 0);
  }

  #append(volume: DatasetId, operation: Operation, request: number): void {
    this.#log.reserve(encodedBytesMax(operation));
    encodeOperation(operation, this.#log.begin(operationCode(operation), request, volume));
    this.#log.finish();
  }

  /** Removes all inodes without a name: nobody can use them any more. Returns how many there were. */
  #reclaimOrphans(): number {
    return this.state.volumes.reduce((count, volume) => count + this.sweeper.reclaimAll(volume), 0);
  }

  /** Whether a request that is sent again, after the process before this one died, had been applied. */
  wasApplied(request: number): boolean {
    return this.#options.resume === true && this.state.appliedRequests.has(request);
  }

  // ── Durability ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Durable when it resolves: all operations so far, and the data of these blobs or of all. */
  async commit(blobs: Iterable<BlobId> | 'all'): Promise<void> {
    if (this.#options.readOnly) return;
    if (this.#readOnlyReason !== '') throw EIO;
    await this.#committer.commit(blobs);
  }

  /** The same at once, on the calling thread, if that takes little time; false when it does not, and `commit` is to be used. */
  commitAtOnce(blobs: Iterable<BlobId> | 'all'): boolean {
    if (!this.#options.readOnly && this.#readOnlyReason !== '') throw EIO;
    return this.#options.readOnly || this.#committer.commitAtOnce(blobs);
  }

  /** In sync durability, of the store or of who asks, the commit that the last change waits for. `isLone`: it may be done at once. */
  pendingCommit(sync: boolean, isLone: boolean): Promise<void> | undefined {
    if (!(sync || this.isSync) || this.#log.tail === this.#committedTail) return undefined;
    this.#committedTail = this.#log.tail;
    return isLone && this.commitAtOnce('all') ? undefined : this.commit('all');
  }

  /** Commits on this interval from now on. Milliseconds. */
  commitEvery(intervalMs: number): void {
    this.#maintenance?.commitEvery(intervalMs);
  }

  /** Cuts a blob to its size as logged, at once and durably: all operations are made so first, since none may then be taken back. */
  cutNow(blob: BlobId, size: number): void {
    try {
      this.#committer.commitNow([blob]);
      this.state.blobs.cutNow(blob, size);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Takes a checkpoint, unless one is running. */
  async checkpoint(): Promise<void> {
    await this.#maintenance?.checkpoint();
  }

  /** Nothing is changed any more, because `cause` makes it unsafe. */
  fail(cause: unknown): void {
    if (this.#readOnlyReason !== '') return;
    this.#readOnlyReason = cause instanceof Error ? cause.message : String(cause);
    this.#options.log.error({ err: cause }, 'the store is read-only from now on');
  }

  /**
   * Stops for a successor that goes on with the same mount (`resume`): all is durable, inodes without a name stay, and there is
   * little to replay.
   */
  async suspend(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#maintenance?.stop();
    try {
      if (this.isWritable) {
        // A checkpoint does not cut what was truncated.
        await this.commit('all');
        await this.#checkpointer?.run(false);
      }
    } finally {
      this.#release();
    }
  }

  /** Takes the last checkpoint and closes the store; after a failure, leaves the store as it is for recovery. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#maintenance?.stop();
    try {
      if (this.#checkpointer !== undefined && this.#readOnlyReason === '') {
        this.#reclaimOrphans();
        await this.commit('all');
        // Twice: the first finds what is to be deleted, the second forgets it.
        await this.#checkpointer.run(false);
        await this.#checkpointer.run(true);
      }
    } finally {
      this.#release();
    }
  }

  #release(): void {
    this.#maintenance?.stop();
    this.state.close();
    this.#log.close();
    this.#superblockFile?.close();
  }

  // ── Volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A volume to read and write, or undefined when there is none of this name. */
  volume(name: string = MAIN_NAME): Volume | undefined {
    const dataset = this.state.catalog.volumeNamed(name);
    return dataset === undefined ? undefined : new Volume(this, this.state.volumeOf(dataset), '');
  }

  get main(): Volume {
    return new Volume(this, this.state.volume(MAIN_VOLUME), '');
  }

  /** A snapshot to read. */
  snapshot(snapshot: Dataset): Volume {
    return new Volume(this, this.state.volumeOf(snapshot), 'a snapshot');
  }

  // ── Reporting ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get disk(): Disk {
    return this.#disk;
  }

  status(): StoreStatus {
    return {
      ...figuresOf(this.state, this.#log),
      uuid: this.#superblock.uuid,
      label: this.#superblock.label,
      formatVersion: FORMAT_VERSION,
      mountCount: this.#mountCount,
      durability: this.#options.durability,
      commitIntervalMs: this.#maintenance?.commitIntervalMs ?? this.#options.commitIntervalMs,
      readOnlyReason: this.#readOnlyReason,
      recovery: this.recovery,
    };
  }
}
