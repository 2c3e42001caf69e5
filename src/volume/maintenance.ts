/**
 * What a volume does without being asked: commits on the interval, checkpoints when they are due, compaction between requests.
 */
import { DiskError } from '../store/disk.js';
import type { Lsn } from '../store/units.js';
import type { Checkpointer } from './checkpoint.js';
import type { Committer } from './committer.js';
import type { Compactor } from './compaction.js';
import type { VolumeLog } from './options.js';

/** A checkpoint is taken when the log since the last one has this many bytes, … */
const CHECKPOINT_LOG_BYTES = 64 * 1024 * 1024;
/** … or the epoch this many pages, … */
const CHECKPOINT_PAGES = 32 * 1024;
/** … or when something has changed and this many milliseconds have passed. */
const CHECKPOINT_INTERVAL_MS = 30_000;

/** What maintenance has to know of the volume. */
export interface MaintainedVolume {
  readonly tail: Lsn;
  /** Pages made in this epoch. */
  readonly pagesBorn: number;
  /** Something is not durable. */
  readonly isDirty: boolean;
  readonly isWritable: boolean;
  /** The log can go on after its present segment. */
  readonly hasLogSpace: boolean;
  fail(cause: unknown): void;
}

export class Maintenance {
  readonly #volume: MaintainedVolume;
  readonly #committer: Committer;
  readonly #checkpointer: Checkpointer;
  readonly #compactor: Compactor;
  readonly #log: VolumeLog;
  readonly #timer: NodeJS.Timeout;
  #checkpointLsn: Lsn;
  #checkpointAtMs = performance.now();
  #stopped = false;

  constructor(
    volume: MaintainedVolume,
    committer: Committer,
    checkpointer: Checkpointer,
    compactor: Compactor,
    log: VolumeLog,
    commitIntervalMs: number,
  ) {
    this.#volume = volume;
    this.#committer = committer;
    this.#checkpointer = checkpointer;
    this.#compactor = compactor;
    this.#log = log;
    this.#checkpointLsn = volume.tail;
    this.#timer = setInterval(() => this.#onInterval(), commitIntervalMs);
    this.#timer.unref();
  }

  #onInterval(): void {
    if (!this.#volume.isWritable) return;
    // Whoever waits for a commit learns of its failure; so does the volume.
    if (this.#volume.isDirty) this.#committer.commit('all').catch(() => undefined);
    const changed = this.#volume.tail !== this.#checkpointLsn;
    if (changed && performance.now() - this.#checkpointAtMs > CHECKPOINT_INTERVAL_MS) void this.checkpoint();
  }

  /** To be called after each operation. */
  afterOperation(): void {
    const logged = this.#volume.tail - this.#checkpointLsn;
    const due = logged > CHECKPOINT_LOG_BYTES || this.#volume.pagesBorn > CHECKPOINT_PAGES;
    if (due || !this.#volume.hasLogSpace) void this.checkpoint();
  }

  /** A full disk: what the last checkpoint still holds on to may help. */
  afterLackOfSpace(): void {
    setImmediate(() => void this.checkpoint());
  }

  /** Takes a checkpoint, unless one is running. It never rejects: a failure makes the volume read-only. */
  async checkpoint(): Promise<void> {
    if (this.#stopped || this.#checkpointer.isRunning || !this.#volume.isWritable) return;
    this.#checkpointLsn = this.#volume.tail;
    this.#checkpointAtMs = performance.now();
    try {
      await this.#checkpointer.run(false);
      this.#compact(false);
    } catch (error) {
      if (isLackOfSpace(error) && this.#checkpointer.isWhole)
        this.#log.warn({ err: error }, 'no space for a checkpoint; trying again later');
      else this.#volume.fail(error);
    }
  }

  /** Compacts in slices between requests, then takes the checkpoint that lets go of what was emptied. */
  #compact(moved: boolean): void {
    if (this.#stopped || !this.#volume.isWritable) return;
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
