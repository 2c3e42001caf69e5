/**
 * How many leaves point to a record: a string, a pack extent, or a blob.
 *
 * Trees of volumes and snapshots share leaves. When a shared leaf is copied, because one of its owners changes something in it,
 * what its items point to has one leaf more; when a leaf goes, one less. Most records are pointed to by one leaf, and nothing is
 * kept about those. For others the catalog has an item with the number of leaves beyond the first:
 *
 *   object   kind             minor     value
 *   0        SHARED_STRING    address   leaves beyond the first, 4 bytes
 *   0        SHARED_EXTENT    address   likewise
 *   0        SHARED_BLOB      blob      likewise
 *
 * Changes are collected in memory and brought into the catalog when a checkpoint begins. They are not logged: replaying the log
 * on the trees of a checkpoint copies and drops the same items.
 *
 * INVARIANT: a record may be written in place, or its space given back, only when exactly one leaf, or none, points to it.
 */
import { CorruptionError } from '../errors/corruption.js';
import type { Tree } from '../tree/tree.js';
import { KIND_SHARED_BLOB, KIND_SHARED_EXTENT, KIND_SHARED_STRING, SHARED_BYTES, VOLUME_OBJECT } from './items.js';

export type RecordKind = 'string' | 'extent' | 'blob';

const ITEM_KINDS: Readonly<Record<RecordKind, number>> = {
  string: KIND_SHARED_STRING,
  extent: KIND_SHARED_EXTENT,
  blob: KIND_SHARED_BLOB,
};

export class RecordReferences {
  readonly #catalog: Tree;
  /** Changes since the last checkpoint began, by address or blob number. */
  readonly #changes: Readonly<Record<RecordKind, Map<number, number>>> = {
    string: new Map(),
    extent: new Map(),
    blob: new Map(),
  };
  /** Items in the catalog. */
  #saved: number;

  constructor(catalog: Tree, saved: number) {
    this.#catalog = catalog;
    this.#saved = saved;
  }

  /** Items in the catalog, for the superblock. */
  get saved(): number {
    return this.#saved;
  }

  /** Records whose number has changed since the last checkpoint began. */
  get changed(): number {
    const { string, extent, blob } = this.#changes;
    return string.size + extent.size + blob.size;
  }

  /** One more leaf points to a record. */
  add(kind: RecordKind, record: number): void {
    const changes = this.#changes[kind];
    changes.set(record, (changes.get(record) ?? 0) + 1);
  }

  /** One leaf less points to a record. Returns whether it was the last one. */
  drop(kind: RecordKind, record: number): boolean {
    if (!this.isShared(kind, record)) return true;
    const changes = this.#changes[kind];
    changes.set(record, (changes.get(record) ?? 0) - 1);
    return false;
  }

  /** Whether more than one leaf points to a record. */
  isShared(kind: RecordKind, record: number): boolean {
    return this.count(kind, record) > 1;
  }

  /** How many leaves point to a record that is in use. */
  count(kind: RecordKind, record: number): number {
    const change = this.#changes[kind].get(record);
    if (change === undefined && this.#saved === 0) return 1;
    const others = (change ?? 0) + this.#savedCount(kind, record);
    if (others < 0) throw new CorruptionError(`${kind} ${record}`, 'given up more often than it is used');
    return others + 1;
  }

  #savedCount(kind: RecordKind, record: number): number {
    if (this.#saved === 0 || !this.#catalog.find(VOLUME_OBJECT, ITEM_KINDS[kind], record)) return 0;
    return this.#catalog.words[this.#catalog.valueWord];
  }

  /** More pages than `save` can take, beyond those of other items. */
  get pagesMax(): number {
    // Each item may be in a leaf of its own, which is copied; new ones fill leaves to a half at least. A leaf has room for 145.
    const { changed } = this;
    return Math.min(changed, Math.ceil(this.#saved / 8) + 1) + Math.ceil(changed / 64);
  }

  /** Brings the catalog up to date; pages must be reserved. */
  save(): void {
    for (const kind of ['string', 'extent', 'blob'] as const) {
      const changes = this.#changes[kind];
      // In key order, so that neighbours are changed in one leaf after the other.
      for (const record of [...changes.keys()].sort((a, b) => a - b)) this.#saveOne(kind, record, changes.get(record)!);
      changes.clear();
    }
  }

  #saveOne(kind: RecordKind, record: number, change: number): void {
    if (change === 0) return;
    const catalog = this.#catalog;
    const others = this.#savedCount(kind, record) + change;
    const itemKind = ITEM_KINDS[kind];
    if (others < 0) throw new CorruptionError(`${kind} ${record}`, 'given up more often than it is used');
    if (others === 0) {
      catalog.remove(VOLUME_OBJECT, itemKind, record);
      this.#saved--;
      return;
    }
    if (!catalog.modify(VOLUME_OBJECT, itemKind, record)) {
      catalog.insert(VOLUME_OBJECT, itemKind, record, SHARED_BYTES);
      this.#saved++;
    }
    catalog.words[catalog.valueWord] = others;
  }
}
