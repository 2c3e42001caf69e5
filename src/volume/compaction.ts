/**
 * Compaction: gives back the space of strings and small files that are gone, by moving what lives out of sparse arena segments.
 *
 * It runs in slices between requests. Moving a record is not logged: a crash goes back to a checkpoint whose tree still points into
 * the old segment, and that is deleted only when a checkpoint that no longer points there is durable (bookkeeping.ts).
 */
import type { Arena, RecordOwner } from '../store/arena.js';
import { recordBytes } from '../store/arena.js';
import { type Address, asAddress, asDatasetId } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { PAGES_PER_OPERATION } from './apply/applier.js';
import { KIND_DATASET, readU64, writeU64 } from './items.js';
import { ADDRESS_WORDS } from './leaf-records.js';
import type { StoreState } from './state.js';

/** A full segment is sparse when less than this part of it lives. */
const SPARSE_BELOW = 0.5;
/** Records looked at in one slice: some hundred microseconds. */
const RECORDS_PER_SLICE = 128;

interface Work {
  readonly arena: Arena;
  readonly index: number;
  readonly records: Generator<{ readonly address: Address; readonly owner: RecordOwner }>;
}

export class Compactor {
  readonly #state: StoreState;
  /** Segments in which something could not be moved: they stay as they are. */
  readonly #stuck = new Map<Arena, Set<number>>();
  #work: Work | undefined;

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Does one slice of work. Returns whether there is more. Throws DiskError (ENOSPC), after which the work may go on later. */
  slice(): boolean {
    this.#work ??= this.#choose();
    if (this.#work === undefined) return false;
    const { arena, index, records } = this.#work;
    for (let count = 0; count < RECORDS_PER_SLICE; count++) {
      const next = records.next();
      if (next.done === true) {
        this.#work = undefined;
        if (arena.live.get(index) !== 0) this.#stuckIn(arena).add(index);
        return true;
      }
      this.#move(arena, next.value.address, next.value.owner);
    }
    return true;
  }

  #stuckIn(arena: Arena): Set<number> {
    const known = this.#stuck.get(arena) ?? new Set<number>();
    this.#stuck.set(arena, known);
    return known;
  }

  /** The sparsest segment that is worth emptying. */
  #choose(): Work | undefined {
    for (const arena of [this.#state.packs.arena, this.#state.strings.arena]) {
      const stuck = this.#stuckIn(arena);
      const sparse = [...arena.live]
        .filter(([index, live]) => live > 0 && index < arena.lastSegment && !stuck.has(index))
        .filter(([, live]) => live < arena.segmentBytes * SPARSE_BELOW)
        .sort(([, a], [, b]) => a - b);
      if (sparse.length > 0) return { arena, index: sparse[0][0], records: arena.records(sparse[0][0]) };
    }
    return undefined;
  }

  /** Moves a record to the end of its arena, if one item points to it, and no snapshot shows that item. */
  #move(arena: Arena, address: Address, owner: RecordOwner): void {
    const { pages, catalog, references } = this.#state;
    const record = arena === this.#state.packs.arena ? 'extent' : 'string';
    const found = this.#findItem(address, owner);
    if (found === undefined || found.tree.isShared || references.isShared(record, address)) return;
    const payload = arena.read(address);
    pages.reserve(PAGES_PER_OPERATION);
    arena.reserve(recordBytes(payload.length));
    const moved = asAddress(arena.append(owner, payload));
    arena.release(address);
    const { tree, word } = found;
    tree.modify(owner.object, owner.kind, owner.minor);
    writeU64(tree.words, tree.valueWord + word, moved);
    if (owner.kind === KIND_DATASET) catalog.reload(asDatasetId(owner.minor));
  }

  /** The item that points to a record, at which its tree's position then is. */
  #findItem(address: Address, owner: RecordOwner): { readonly tree: Tree; readonly word: number } | undefined {
    const places = ADDRESS_WORDS.get(owner.kind);
    if (places === undefined) return undefined;
    const trees = [this.#state.catalog.tree, ...this.#state.volumes.map((volume) => volume.tree)];
    for (const tree of trees) {
      if (!tree.find(owner.object, owner.kind, owner.minor)) continue;
      const word = places.words.find((at) => readU64(tree.words, tree.valueWord + at) === address);
      if (word !== undefined) return { tree, word };
    }
    return undefined;
  }
}
