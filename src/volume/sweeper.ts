/**
 * Removes inodes without a name: single ones that nobody uses any more, and the removed trees of all volumes
 * (apply/removed-trees.ts), in slices between requests or all at once.
 */
import type { DatasetId, Ino } from '../store/units.js';
import { PAGES_PER_OPERATION } from './apply/applier.js';
import type { StoreApplier } from './apply/store-applier.js';
import { Inode } from './inode.js';
import { isLackOfSpace } from './maintenance.js';
import type { Operation } from './operation.js';
import type { StoreState, VolumeState } from './state.js';
import { sweptBefore } from './swept-before.js';

/** Names taken away at once, where there is space enough. */
const NAMES_PER_STEP = 8;
/** Some hundred microseconds. */
const STEPS_PER_SLICE = 6;

/** What has to be known of the store, while it is served. */
export interface SweptStore {
  readonly isWritable: boolean;
  /** The host has no space. */
  afterLackOfSpace(): void;
  fail(cause: unknown): void;
}

export class Sweeper {
  readonly #state: StoreState;
  readonly #applier: StoreApplier;
  readonly #store: SweptStore | undefined;
  readonly #inode = new Inode();

  /** `store`: undefined while the log is replayed. */
  constructor(state: StoreState, applier: StoreApplier, store?: SweptStore) {
    this.#state = state;
    this.#applier = applier;
    this.#store = store;
  }

  // ── Single inodes ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Removes an inode without a name that nobody uses any more. Without space for that it stays until the next mount. A directory with
   * entries is swept instead.
   */
  reclaim(volume: VolumeState, ino: Ino): void {
    if (!volume.orphans.has(ino) || this.#store?.isWritable !== true) return;
    if (this.#inode.load(volume.tree, ino) && this.#inode.entries > 0) return;
    try {
      this.#do(() => this.#applier.of(volume.dataset.id).reclaim(ino));
    } catch (error) {
      if (isLackOfSpace(error)) this.#store.afterLackOfSpace();
    }
  }

  /** Removes the inodes without a name of one volume, which nobody can use. Returns how many there were. */
  reclaimAll(volume: VolumeState): number {
    const orphans = [...volume.orphans];
    for (const ino of orphans) this.reclaim(volume, ino);
    return orphans.length;
  }

  // ── Removed trees ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** There is something to be swept. */
  get isNeeded(): boolean {
    return this.#state.volumes.some(({ removed }) => removed.length > 0);
  }

  /** Does one slice of work. Returns whether there is more. Throws CorruptionError, and DiskError (ENOSPC) with nothing half done. */
  slice(): boolean {
    const volume = this.#state.volumes.find(({ removed }) => removed.length > 0);
    if (volume === undefined) return false;
    for (let steps = 0; steps < STEPS_PER_SLICE && this.#step(volume); steps++);
    return this.isNeeded;
  }

  /** Sweeps a volume at once. Throws the same. */
  sweepAll(volume: VolumeState): void {
    while (volume.removed.length > 0) this.#step(volume);
  }

  /** Sweeps what must have been swept before an operation. Throws the same. */
  sweepFor(dataset: DatasetId, operation: Operation): void {
    const swept = sweptBefore(dataset, operation);
    if (swept.length === 0) return;
    for (const volume of this.#state.volumes) if (swept.includes(volume.dataset.id)) this.sweepAll(volume);
  }

  #step(volume: VolumeState): boolean {
    const { removedTrees } = this.#applier.of(volume.dataset.id);
    try {
      return this.#do(() => removedTrees.step(NAMES_PER_STEP), NAMES_PER_STEP);
    } catch (error) {
      // A full disk is emptied name by name.
      if (!isLackOfSpace(error) || this.#store?.isWritable === false) throw error;
      return this.#do(() => removedTrees.step(1));
    }
  }

  /** Makes changes for which space is set aside first; if they do not come to their end, the store fails. */
  #do<Result>(change: () => Result, changes = 1): Result {
    this.#state.pages.reserve(PAGES_PER_OPERATION * changes);
    try {
      return change();
    } catch (error) {
      this.#store?.fail(error);
      throw error;
    }
  }
}
