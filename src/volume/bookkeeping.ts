/**
 * What a checkpoint keeps in the catalog beside datasets: dead blobs, the live bytes of arena segments, applied requests, counts of
 * shared records, dying pages; and the orphans in the tree of each volume.
 *
 * While the store serves, these are in memory and cost nothing. `save` brings the items up to date at the beginning of a
 * checkpoint; `load` reads them back. None is logged: replaying the log on a checkpoint's trees brings about the same.
 */
import { setImmediate } from 'node:timers/promises';
import { CorruptionError } from '../errors/corruption.js';
import type { Arena } from '../store/arena.js';
import { asBlobId, asPageNumber, type BlobId, type PageNumber } from '../store/units.js';
import { APPLIED_REQUESTS_KEPT } from './applied-requests.js';
import {
  ARENA_PACKS,
  ARENA_STRINGS,
  DYING_BYTES,
  KIND_DEAD_BLOB,
  KIND_DYING,
  KIND_REQUESTS,
  KIND_SEGMENT,
  REQUESTS_BYTES,
  REQUESTS_PER_ITEM,
  readU64,
  SEGMENT_BYTES,
  segmentMinor,
  VOLUME_OBJECT,
  writeU64,
} from './items.js';
import { loadOrphans, orphanChangesMax, saveOrphans } from './orphans.js';
import type { StoreState } from './state.js';

/** Files deleted without a pause. */
const DELETIONS_AT_ONCE = 32;
const WORD = 0x1_0000_0000;
const REQUEST_ITEMS_MAX = APPLIED_REQUESTS_KEPT / REQUESTS_PER_ITEM;

/** What may be deleted from the disk once the checkpoint that was just begun is durable. */
export interface Garbage {
  readonly blobs: readonly BlobId[];
  readonly segments: readonly { readonly arena: number; readonly index: number }[];
}

export class Bookkeeping {
  readonly #state: StoreState;
  /** What the catalog has items for. */
  readonly #savedDeadBlobs = new Set<BlobId>();
  readonly #savedSegments = new Set<number>();
  readonly #savedDying = new Map<PageNumber, number>();
  /** Blobs and segments whose files are gone: their items go with the next checkpoint. */
  #deletedBlobs: BlobId[] = [];
  #deletedSegments: number[] = [];

  constructor(state: StoreState) {
    this.#state = state;
  }

  #arena(number: number): Arena {
    return number === ARENA_STRINGS ? this.#state.strings.arena : this.#state.packs.arena;
  }

  /** Reads the items of the checkpoint that was opened. */
  load(): void {
    for (const volume of this.#state.volumes) loadOrphans(volume);
    const { appliedRequests, dying, catalog, pages } = this.#state;
    const { tree } = catalog;
    if (!tree.seek(VOLUME_OBJECT, KIND_DEAD_BLOB, 0)) return;
    do {
      if (tree.object !== VOLUME_OBJECT) return;
      const { kind, minor, words, valueWord } = tree;
      if (kind === KIND_DEAD_BLOB) {
        this.#savedDeadBlobs.add(asBlobId(minor));
      } else if (kind === KIND_SEGMENT) {
        this.#savedSegments.add(minor);
        this.#arena(Math.floor(minor / WORD)).live.set(minor % WORD, readU64(words, valueWord));
      } else if (kind === KIND_REQUESTS) {
        for (let at = 0; at < tree.valueLength / 8; at++) appliedRequests.note(readU64(words, valueWord + at * 2));
      } else if (kind === KIND_DYING) {
        const [page, count] = [asPageNumber(minor), words[valueWord]];
        // Each time is a reference to the page: the list cannot be longer than all of those.
        if (page >= pages.file.capacity || count > pages.count(page)) {
          throw new CorruptionError(`page ${page}`, `to be given up ${count} times, which cannot be`);
        }
        this.#savedDying.set(page, count);
        for (let left = count; left > 0; left--) dying.push(page);
      }
    } while (tree.next());
  }

  /** At most this many pages are taken by `save`. */
  get pagesMax(): number {
    const { deadBlobs, volumes, dying, pinned, references } = this.#state;
    const orphans = volumes.reduce((sum, volume) => sum + orphanChangesMax(volume), 0);
    const others = deadBlobs.length + this.#deletedBlobs.length + this.#segmentCount;
    const items = orphans + others + dying.length + pinned.length + this.#savedDying.size;
    return 64 + volumes.length * 8 + REQUEST_ITEMS_MAX + Math.ceil(items / 8) + references.pagesMax;
  }

  get #segmentCount(): number {
    return this.#state.strings.arena.live.size + this.#state.packs.arena.live.size + this.#deletedSegments.length;
  }

  /** Brings the items up to date; space must be reserved. Returns what the checkpoint leaves behind. */
  save(): Garbage {
    this.#saveVolumes();
    this.#saveDying();
    // After the volumes, whose leaves may be copied.
    this.#state.references.save();
    this.#saveDeadBlobs();
    this.#saveRequests();
    for (const arena of [ARENA_STRINGS, ARENA_PACKS]) this.#saveSegments(arena);
    for (const minor of this.#deletedSegments) {
      this.#state.catalog.tree.remove(VOLUME_OBJECT, KIND_SEGMENT, minor);
      this.#savedSegments.delete(minor);
    }
    this.#deletedSegments = [];
    const segments = [ARENA_STRINGS, ARENA_PACKS].flatMap((arena) =>
      this.#arena(arena)
        .emptySegments()
        .map((index) => ({ arena, index })),
    );
    return { blobs: [...this.#savedDeadBlobs], segments };
  }

  #saveVolumes(): void {
    for (const volume of this.#state.volumes) {
      saveOrphans(volume);
      volume.dataset.root = volume.tree.root;
      this.#state.catalog.save(volume.dataset);
    }
  }

  #saveDying(): void {
    const { catalog, dying, pinned } = this.#state;
    const { tree } = catalog;
    const counts = new Map<PageNumber, number>();
    for (const page of [...dying, ...pinned]) counts.set(page, (counts.get(page) ?? 0) + 1);
    for (const page of this.#savedDying.keys()) {
      if (counts.has(page)) continue;
      tree.remove(VOLUME_OBJECT, KIND_DYING, page);
      this.#savedDying.delete(page);
    }
    for (const [page, count] of counts) {
      if (this.#savedDying.get(page) === count) continue;
      if (!tree.modify(VOLUME_OBJECT, KIND_DYING, page)) tree.insert(VOLUME_OBJECT, KIND_DYING, page, DYING_BYTES);
      tree.words[tree.valueWord] = count;
      this.#savedDying.set(page, count);
    }
  }

  #saveDeadBlobs(): void {
    const { tree } = this.#state.catalog;
    for (const blob of this.#deletedBlobs) {
      tree.remove(VOLUME_OBJECT, KIND_DEAD_BLOB, blob);
      this.#savedDeadBlobs.delete(blob);
    }
    this.#deletedBlobs = [];
    for (const blob of this.#state.deadBlobs) {
      tree.insert(VOLUME_OBJECT, KIND_DEAD_BLOB, blob, 0);
      this.#savedDeadBlobs.add(blob);
    }
    this.#state.deadBlobs = [];
  }

  #saveRequests(): void {
    const { catalog, appliedRequests } = this.#state;
    const { tree } = catalog;
    const numbers = appliedRequests.all();
    const items = Math.ceil(numbers.length / REQUESTS_PER_ITEM);
    for (let item = 0; item < items; item++) {
      if (!tree.modify(VOLUME_OBJECT, KIND_REQUESTS, item)) {
        tree.insert(VOLUME_OBJECT, KIND_REQUESTS, item, REQUESTS_BYTES);
      }
      const first = item * REQUESTS_PER_ITEM;
      for (let at = 0; at < REQUESTS_PER_ITEM; at++) {
        writeU64(tree.words, tree.valueWord + at * 2, numbers[first + at] ?? 0);
      }
    }
    for (let item = items; tree.find(VOLUME_OBJECT, KIND_REQUESTS, item); item++) {
      tree.remove(VOLUME_OBJECT, KIND_REQUESTS, item);
    }
  }

  #saveSegments(number: number): void {
    const { tree } = this.#state.catalog;
    const arena = this.#arena(number);
    for (const index of arena.takeChangedSegments()) {
      const minor = segmentMinor(number, index);
      if (!tree.modify(VOLUME_OBJECT, KIND_SEGMENT, minor)) {
        tree.insert(VOLUME_OBJECT, KIND_SEGMENT, minor, SEGMENT_BYTES);
        this.#savedSegments.add(minor);
      }
      writeU64(tree.words, tree.valueWord, arena.live.get(index) ?? 0);
    }
  }

  /** The checkpoint is durable: deletes what it left behind. */
  async deleteGarbage(garbage: Garbage): Promise<void> {
    const { blobs } = this.#state;
    let done = 0;
    for (const blob of garbage.blobs) {
      // Deleting a host file takes tens of microseconds: requests are served in between.
      if (++done % DELETIONS_AT_ONCE === 0) await setImmediate();
      blobs.remove(blob);
    }
    // The items go only once the deletions cannot be lost: otherwise nobody would know of the files any more.
    if (garbage.blobs.length > 0) while (blobs.syncRemovals()) await setImmediate();
    for (const blob of garbage.blobs) this.#deletedBlobs.push(blob);
    for (const { arena, index } of garbage.segments) {
      this.#arena(arena).removeSegment(index);
      this.#deletedSegments.push(segmentMinor(arena, index));
    }
  }

  /**
   * Moves what the only volume of a store of format 1 has in its tree to the catalog, which is new. The items that were loaded are
   * written by the next `save`.
   */
  takeFrom(volume: StoreState['volumes'][number]): void {
    const { tree } = volume;
    while (tree.seek(VOLUME_OBJECT, KIND_DEAD_BLOB, 0) && tree.object === VOLUME_OBJECT) {
      const { kind, minor, words, valueWord } = tree;
      if (kind === KIND_DEAD_BLOB) this.#state.deadBlobs.push(asBlobId(minor));
      else if (kind === KIND_SEGMENT) {
        this.#arena(Math.floor(minor / WORD)).noteLive(minor % WORD, readU64(words, valueWord));
      } else if (kind === KIND_REQUESTS) {
        for (let at = 0; at < tree.valueLength / 8; at++) {
          this.#state.appliedRequests.note(readU64(words, valueWord + at * 2));
        }
      }
      tree.remove(VOLUME_OBJECT, kind, minor);
    }
  }
}
