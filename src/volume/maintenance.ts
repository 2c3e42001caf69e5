/**
 * What a store does without being asked: commits on the interval, checkpoints when they are due, and, between requests, compaction,
 * sweeping, and the giving up of destroyed trees.
 */
import { DiskError } from '../store/disk.js';
import type { Lsn } from '../store/units.js';
import type { Checkpointer } from './checkpoint.js';
import type { Committer } from './committer.js';
import type { Compactor } from './compaction.js';
import type { StoreLog } from './options.js';
import type { Reaper } from './reaper.js';
import type { StoreState } from './state.js';
import type { Sweeper } from './sweeper.js';

/** A checkpoint is taken when the log since the last one has this many bytes, … */
const CHECKPOINT_LOG_BYTES = 64 * 1024 * 1024;
/** … or the epoch this many pages, … */
const CHECKPOINT_PAGES = 32 * 1024;
/** … or so many shared records have been counted anew, which the next one saves at once, in some 15 ms, … */
const CHECKPOINT_COUNTS = 40_000;
/** … or when something has changed and this many milliseconds have passed. */
const CHECKPOINT_INTERVAL_MS = 30_000;

/** What maintenance has to know of the store. */
export interface MaintainedStore {
  readonly tail: Lsn;
  readonly state: StoreState;
  /** There are trees to be given up. */
  readonly hasDying: boolean;
  /** Something is not durable. */
  readonly isDirty: boolean;
  readonly isWritable: boolean;
  /** The log can go on after its present segment. */
  readonly hasLogSpace: boolean;
  fail(cause: unknown): void;
}

export class Maintenance {
  readonly #store: MaintainedStore;
  readonly #committer: Committer;
  readonly #checkpointer: Checkpointer;
  readonly #compactor: Compactor;
  readonly #reaper: Reaper;
  readonly #sweeper: Sweeper;
  readonly #log: StoreLog;
  #timer: NodeJS.Timeout;
  #commitIntervalMs: number;
  #checkpointLsn: Lsn;
  #checkpointAtMs = performance.now();
  #stopped = false;
  #reaping = false;
  #sweeping = false;
  /** Called when sweeping ends. */
  #untilSwept: (() => void)[] = [];

  constructor(
    store: MaintainedStore,
    committer: Committer,
    checkpointer: Checkpointer,
    compactor: Compactor,
    reaper: Reaper,
    sweeper: Sweeper,
    log: StoreLog,
    commitIntervalMs: number,
  ) {
    this.#store = store;
    this.#committer = committer;
    this.#checkpointer = checkpointer;
    this.#compactor = compactor;
    this.#reaper = reaper;
    this.#sweeper = sweeper;
    this.#log = log;
    this.#checkpointLsn = store.tail;
    this.#commitIntervalMs = commitIntervalMs;
    this.#timer = this.#startTimer();
  }

  get commitIntervalMs(): number {
    return this.#commitIntervalMs;
  }

  /** Commits on this interval from now on. */
  commitEvery(intervalMs: number): void {
    if (this.#stopped || intervalMs === this.#commitIntervalMs) return;
    this.#commitIntervalMs = intervalMs;
    clearInterval(this.#timer);
    this.#timer = this.#startTimer();
  }

  #startTimer(): NodeJS.Timeout {
    return setInterval(() => this.#onInterval(), this.#commitIntervalMs).unref();
  }

  #onInterval(): void {
    if (!this.#store.isWritable) return;
    // Whoever waits for a commit learns of its failure; so does the volume.
    if (this.#store.isDirty) this.#committer.commit('all').catch(() => undefined);
    if (this.#sweeper.isNeeded) this.sweep();
    const changed = this.#store.tail !== this.#checkpointLsn;
    if (changed && performance.now() - this.#checkpointAtMs > CHECKPOINT_INTERVAL_MS) void this.checkpoint();
  }

  /** To be called after each operation. */
  afterOperation(): void {
    const logged = this.#store.tail - this.#checkpointLsn;
    const { hasLogSpace, hasDying } = this.#store;
    if (logged > CHECKPOINT_LOG_BYTES || this.#isEpochLarge || !hasLogSpace) void this.checkpoint();
    if (hasDying) this.reap();
  }

  get #isEpochLarge(): boolean {
    const { pages, references } = this.#store.state;
    return pages.bornCount > CHECKPOINT_PAGES || references.changed > CHECKPOINT_COUNTS;
  }

  /** Gives up destroyed trees in slices between requests, then takes the checkpoint that frees their space. */
  reap(): void {
    if (this.#reaping) return;
    this.#reaping = true;
    setImmediate(() => this.#reap());
  }

  #reap(): void {
    this.#reaping = false;
    if (this.#stopped || !this.#store.isWritable) return;
    try {
      const isMore = this.#reaper.slice((error) => this.#log.error({ err: error }, 'some space cannot be given back'));
      if (isMore) this.reap();
      else void this.checkpoint();
    } catch (error) {
      this.#store.fail(error);
    }
  }

  /** Sweeps removed trees in slices between requests. */
  sweep(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    setImmediate(() => this.#sweep());
  }

  /** Resolves when nothing is left to be swept, or when that cannot go on for now. */
  async swept(): Promise<void> {
    if (this.#stopped || !this.#sweeper.isNeeded) return;
    await new Promise<void>((resolve) => {
      this.#untilSwept.push(resolve);
      this.sweep();
    });
  }

  /** One slice; after the last one comes the checkpoint that frees the space. */
  #sweep(): void {
    this.#sweeping = false;
    const mayGoOn = !this.#stopped && this.#store.isWritable && this.#sweeper.isNeeded;
    try {
      const isMore = mayGoOn && this.#sweeper.slice();
      if (isMore) this.sweep();
      if (mayGoOn && (!isMore || this.#isEpochLarge)) void this.checkpoint();
      if (isMore) return;
    } catch (error) {
      // What cannot be swept for damage has failed the store already.
      if (isLackOfSpace(error)) this.afterLackOfSpace();
    }
    for (const resolve of this.#untilSwept.splice(0)) resolve();
  }

  /** A full disk: what the last checkpoint still holds on to may help. */
  afterLackOfSpace(): void {
    setImmediate(() => void this.checkpoint());
  }

  /** Takes a checkpoint, unless one is running. It never rejects: a failure makes the volume read-only. */
  async checkpoint(): Promise<void> {
    if (this.#stopped || this.#checkpointer.isRunning || !this.#store.isWritable) return;
    this.#checkpointLsn = this.#store.tail;
    this.#checkpointAtMs = performance.now();
    try {
      await this.#checkpointer.run(false);
      this.#compact(false);
    } catch (error) {
      if (isLackOfSpace(error) && this.#checkpointer.isWhole)
        this.#log.warn({ err: error }, 'no space for a checkpoint; trying again later');
      else this.#store.fail(error);
    }
  }

  /** Compacts in slices between requests, then takes the checkpoint that lets go of what was emptied. */
  #compact(moved: boolean): void {
    if (this.#stopped || !this.#store.isWritable) return;
    try {
      if (this.#compactor.slice()) setImmediate(() => this.#compact(true));
      else if (moved) void this.checkpoint();
    } catch (error) {
      // Damaged records and a full disk: what cannot be moved stays where it is.
      this.#log.warn({ err: error }, 'compaction stopped');
    }
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}

export const isLackOfSpace = (error: unknown): boolean =>
  error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
