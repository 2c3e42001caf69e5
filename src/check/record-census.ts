/**
 * How many items of leaves point to each string, pack extent and blob, counting a leaf once however many trees have it; and what
 * strings and extents take in the segments of their arenas.
 *
 * Remembers a bit for each record that there can be, and a number for each that more than one item points to.
 */
import { ARENA_PACKS, ARENA_STRINGS, segmentMinor } from '../volume/items.js';
import type { ArenaReader } from './arena-reader.js';
import { SparseSet } from './sparse-set.js';
import type { StoreUnderCheck } from './store-under-check.js';

export type RecordKind = 'string' | 'extent' | 'blob';
export const RECORD_KINDS: readonly RecordKind[] = ['string', 'extent', 'blob'];

/** Of each kind, by address or blob number: items beyond the first that point to the record; nothing for a single one. */
export type SharedRecords = Readonly<Record<RecordKind, ReadonlyMap<number, number>>>;

export class RecordCensus {
  readonly #store: StoreUnderCheck;
  readonly #seen = { string: new SparseSet(), extent: new SparseSet(), blob: new SparseSet() };
  readonly #shared = {
    string: new Map<number, number>(),
    extent: new Map<number, number>(),
    blob: new Map<number, number>(),
  };
  /** Live bytes of arena segments, by the minor key of their items. */
  readonly live = new Map<number, number>();

  constructor(store: StoreUnderCheck) {
    this.#store = store;
  }

  get shared(): SharedRecords {
    return this.#shared;
  }

  /** An item of a leaf points to a string or an extent that takes `bytes` in its segment; 0 for one that cannot be read. */
  addRecord(kind: 'string' | 'extent', address: number, bytes: number): void {
    const reader = kind === 'string' ? this.#store.strings : this.#store.packs;
    if (!reader.isPlace(address) || !this.#add(kind, address / 8, address)) return;
    this.#addLive(kind, reader, address, bytes);
  }

  #addLive(kind: 'string' | 'extent', reader: ArenaReader, address: number, bytes: number): void {
    const arena = kind === 'string' ? ARENA_STRINGS : ARENA_PACKS;
    const minor = segmentMinor(arena, Math.floor(address / reader.segmentBytes));
    this.live.set(minor, (this.live.get(minor) ?? 0) + bytes);
  }

  addBlob(blob: number): void {
    if (blob > 0 && blob <= Number.MAX_SAFE_INTEGER) this.#add('blob', blob, blob);
  }

  hasBlob(blob: number): boolean {
    return this.#seen.blob.has(blob);
  }

  /** Whether the record is new. */
  #add(kind: RecordKind, bit: number, record: number): boolean {
    if (this.#seen[kind].add(bit)) return true;
    const shared = this.#shared[kind];
    shared.set(record, (shared.get(record) ?? 0) + 1);
    return false;
  }
}
