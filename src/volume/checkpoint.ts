/**
 * Checkpoints: the store's state as of one moment, made durable in the background while the next epoch is already served.
 *
 *   1. at once, between two operations: bring the bookkeeping items up to date, end the epoch, note roots, ends and counters
 *   2. sync the data of blobs, the string table and the packs, to which the pages will point, and the log
 *   3. seal and sync the pages; write and sync the reference counts
 *   4. write and sync the superblock: from here on this is what a crash goes back to
 *   5. recycle the log before it, free the pages that only its predecessor reached, delete dead blobs and empty segments
 *
 * A failure before step 4 leaves the predecessor in force, with its log; the volume then fails, since a sync has.
 */
import { FORMAT_VERSION, type Superblock, type SuperblockFile } from '../store/superblock.js';
import type { PageCheckpoint } from '../tree/page-store.js';
import type { Log } from '../wal/log.js';
import { Bookkeeping, type Garbage } from './bookkeeping.js';
import type { StoreState } from './state.js';

/** The part of the superblock that no checkpoint changes. */
export type SuperblockIdentity = Pick<
  Superblock,
  'uuid' | 'label' | 'geometry' | 'createdMs' | 'mountCount' | 'bootId'
>;

interface CheckpointState {
  readonly pages: PageCheckpoint;
  readonly superblock: Superblock;
  readonly garbage: Garbage;
}

export class Checkpointer {
  readonly #state: StoreState;
  readonly #log: Log;
  readonly #superblockFile: SuperblockFile;
  readonly #identity: SuperblockIdentity;
  readonly bookkeeping: Bookkeeping;
  #sequence: number;
  #running: Promise<void> | undefined;
  /** Why a checkpoint that was begun did not become durable. */
  #failure: unknown;

  constructor(
    state: StoreState,
    log: Log,
    superblockFile: SuperblockFile,
    identity: SuperblockIdentity,
    sequence: number,
  ) {
    this.#state = state;
    this.#log = log;
    this.#superblockFile = superblockFile;
    this.#identity = identity;
    this.#sequence = sequence;
    this.bookkeeping = new Bookkeeping(state);
  }

  /** False when a checkpoint was begun and failed: there is no further one, which would write over the one in force. */
  get isWhole(): boolean {
    return this.#failure === undefined;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Takes a checkpoint, after the one that may be running; throws what that failed with. `clean`: the last one, at unmount. */
  async run(clean: boolean): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    if (this.#failure !== undefined) throw this.#failure;
    this.#running = this.#run(clean);
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  async #run(clean: boolean): Promise<void> {
    const state = this.#begin(clean);
    try {
      await this.#makeDurable(state);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#state.pages.finishCheckpoint(state.pages);
    this.#log.recycle(state.superblock.lsn);
    await this.bookkeeping.deleteGarbage(state.garbage);
  }

  async #makeDurable(state: CheckpointState): Promise<void> {
    const { blobs, strings, packs, pages } = this.#state;
    // The log too: the segment that the superblock will name must be there when recovery looks for it.
    await Promise.all([blobs.syncAll(), strings.arena.sync(), packs.arena.sync(), this.#log.sync()]);
    await pages.writeCheckpoint(state.pages);
    await this.#superblockFile.write(state.superblock);
  }

  #begin(clean: boolean): CheckpointState {
    const { pages, catalog, references, strings, packs, counters, volumes } = this.#state;
    pages.reserve(this.bookkeeping.pagesMax);
    const garbage = this.bookkeeping.save();
    packs.beginEpoch();
    const pageCheckpoint = pages.beginCheckpoint();
    const superblock: Superblock = {
      ...this.#identity,
      version: FORMAT_VERSION,
      sequence: ++this.#sequence,
      epoch: pageCheckpoint.epoch,
      lsn: this.#log.tail,
      root: catalog.tree.root,
      nodesCapacity: pages.file.capacity,
      stringsEnd: strings.arena.end,
      packsEnd: packs.arena.end,
      nextIno: counters.nextIno,
      nextBlob: counters.nextBlob,
      inodes: volumes.reduce((sum, { dataset }) => sum + dataset.inodes, 0),
      dataBytes: volumes.reduce((sum, { dataset }) => sum + dataset.dataBytes, 0),
      nextDataset: counters.nextDataset,
      sharedRecords: references.saved,
      clean,
    };
    return { pages: pageCheckpoint, superblock, garbage };
  }
}
