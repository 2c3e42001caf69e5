/**
 * What a checkpoint keeps in the tree beside files: orphans, dead blobs, the live bytes of arena segments, applied requests.
 *
 * While the volume serves, these are in memory and cost nothing. `save` brings the items up to date at the beginning of a
 * checkpoint; `load` reads them back. Neither is logged: replaying the log on a checkpoint's tree brings about the same.
 */
import { setImmediate } from 'node:timers/promises';
import type { Arena } from '../store/arena.js';
import { asBlobId, asIno, type BlobId, type Ino } from '../store/units.js';
import {
  ARENA_PACKS,
  ARENA_STRINGS,
  KIND_DEAD_BLOB,
  KIND_ORPHAN,
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
import type { VolumeState } from './state.js';

/** Files deleted without a pause. */
const DELETIONS_AT_ONCE = 32;
const WORD = 0x1_0000_0000;

/** What may be deleted from the disk once the checkpoint that was just begun is durable. */
export interface Garbage {
  readonly blobs: readonly BlobId[];
  readonly segments: readonly { readonly arena: number; readonly index: number }[];
}

export class Bookkeeping {
  readonly #state: VolumeState;
  /** What the tree has items for. */
  readonly #savedOrphans = new Set<Ino>();
  readonly #savedDeadBlobs = new Set<BlobId>();
  readonly #savedSegments = new Set<number>();
  /** Blobs and segments whose files are gone: their items go with the next checkpoint. */
  #deletedBlobs: BlobId[] = [];
  #deletedSegments: number[] = [];

  constructor(state: VolumeState) {
    this.#state = state;
  }

  #arena(number: number): Arena {
    return number === ARENA_STRINGS ? this.#state.strings.arena : this.#state.packs.arena;
  }

  /** Reads the items of the checkpoint that was opened. */
  load(): void {
    const { tree, orphans, appliedRequests } = this.#state;
    if (!tree.seek(VOLUME_OBJECT, 0, 0)) return;
    do {
      if (tree.object !== VOLUME_OBJECT) return;
      const minor = tree.minor;
      if (tree.kind === KIND_ORPHAN) {
        orphans.add(asIno(minor));
        this.#savedOrphans.add(asIno(minor));
      } else if (tree.kind === KIND_DEAD_BLOB) {
        this.#savedDeadBlobs.add(asBlobId(minor));
      } else if (tree.kind === KIND_SEGMENT) {
        this.#savedSegments.add(minor);
        this.#arena(Math.floor(minor / WORD)).live.set(minor % WORD, readU64(tree.words, tree.valueWord));
      } else if (tree.kind === KIND_REQUESTS) {
        const { words, valueWord, valueLength } = tree;
        for (let at = 0; at < valueLength / 8; at++) appliedRequests.note(readU64(words, valueWord + at * 2));
      }
    } while (tree.next());
  }

  /** At most this many items will be added or changed by `save`. */
  get changesMax(): number {
    const { orphans, deadBlobs } = this.#state;
    return orphans.size + this.#savedOrphans.size + deadBlobs.length + this.#deletedBlobs.length + this.#segmentCount;
  }

  get #segmentCount(): number {
    return this.#state.strings.arena.live.size + this.#state.packs.arena.live.size + this.#deletedSegments.length;
  }

  /** Brings the items up to date; space must be reserved. Returns what the checkpoint leaves behind. */
  save(): Garbage {
    this.#saveOrphans();
    this.#saveDeadBlobs();
    this.#saveRequests();
    for (const arena of [ARENA_STRINGS, ARENA_PACKS]) this.#saveSegments(arena);
    for (const minor of this.#deletedSegments) {
      this.#state.tree.remove(VOLUME_OBJECT, KIND_SEGMENT, minor);
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

  #saveOrphans(): void {
    const { tree, orphans } = this.#state;
    for (const ino of this.#savedOrphans) {
      if (orphans.has(ino)) continue;
      tree.remove(VOLUME_OBJECT, KIND_ORPHAN, ino);
      this.#savedOrphans.delete(ino);
    }
    for (const ino of orphans) {
      if (this.#savedOrphans.has(ino)) continue;
      tree.insert(VOLUME_OBJECT, KIND_ORPHAN, ino, 0);
      this.#savedOrphans.add(ino);
    }
  }

  #saveDeadBlobs(): void {
    const { tree } = this.#state;
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
    const { tree, appliedRequests } = this.#state;
    const { numbers } = appliedRequests;
    for (let item = 0; item * REQUESTS_PER_ITEM < numbers.length; item++) {
      if (!tree.modify(VOLUME_OBJECT, KIND_REQUESTS, item)) {
        tree.insert(VOLUME_OBJECT, KIND_REQUESTS, item, REQUESTS_BYTES);
      }
      const first = item * REQUESTS_PER_ITEM;
      for (let at = 0; at < REQUESTS_PER_ITEM; at++) writeU64(tree.words, tree.valueWord + at * 2, numbers[first + at]);
    }
  }

  #saveSegments(number: number): void {
    const { tree } = this.#state;
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
}
