/**
 * The state of an open store, and of each of its volumes: trees, what their items point to, and the counters beside them.
 *
 * All of it can be rebuilt from the store: what is only in memory here (orphans, dead blobs, counters) is written with each
 * checkpoint and follows again from replaying the log.
 */
import { BlobStore } from '../blobs/blob-store.js';
import { Packs } from '../blobs/packs.js';
import { CorruptionError } from '../errors/corruption.js';
import type { Disk } from '../store/disk.js';
import { FORMAT_WITHOUT_CATALOG, type Superblock } from '../store/superblock.js';
import {
  asBlobId,
  asDatasetId,
  asIno,
  type BlobId,
  type DatasetId,
  type Ino,
  MAIN_VOLUME,
  type PageNumber,
} from '../store/units.js';
import { StringTable } from '../strings/string-table.js';
import { PageStore } from '../tree/page-store.js';
import { Tree } from '../tree/tree.js';
import { AppliedRequests } from './applied-requests.js';
import { Catalog } from './catalog.js';
import { type Dataset, gone, mainVolume } from './dataset.js';
import { KIND_DIRENT, KIND_XATTR } from './items.js';
import { releaseLeafRecords, shareLeafRecords } from './leaf-records.js';
import { NameHash } from './name-hash.js';
import { NamedItems } from './named-items.js';
import { RecordReferences } from './record-references.js';

/** Numbers that are never used twice. */
export interface Counters {
  nextIno: Ino;
  nextBlob: BlobId;
  nextDataset: DatasetId;
}

/** A volume or snapshot, and where it is mounted. */
export interface MountedDataset {
  readonly dataset: DatasetId;
  readonly mountPoint: string;
}

/** What the volumes of a store have in common. */
export class StoreState {
  readonly pages: PageStore;
  readonly catalog: Catalog;
  readonly references: RecordReferences;
  readonly strings: StringTable;
  readonly packs: Packs;
  readonly blobs: BlobStore;
  readonly counters: Counters;
  readonly hash: NameHash;
  readonly appliedRequests = new AppliedRequests();
  /** Blobs that died in this epoch. */
  deadBlobs: BlobId[] = [];
  /** References to pages, and to what only they reach, that are to be given up (reaper.ts). */
  readonly dying: PageNumber[] = [];
  /** Roots that are being read (pinned-tree.ts), each with a reference of its own; dying ones if the process ends before that. */
  readonly pinned: PageNumber[] = [];
  /** Told before a volume gets another tree. */
  onReplacing: ((volume: DatasetId) => void) | undefined;
  /**
   * Told of a file in a removed tree that has lost its last name, and that somebody may have opened by another. Returns whether there can
   * be somebody: who serves the mount gives the file up when nobody has it open. Where nobody is told, it stays until the next mount.
   */
  onOrphan: ((volume: DatasetId, ino: Ino) => boolean) | undefined;
  /** What is mounted, or just being mounted, must not be destroyed. Kept by whoever serves the mounts. */
  readonly mounted: MountedDataset[] = [];
  readonly #volumes = new Map<DatasetId, VolumeState>();

  /** Opens the state as the checkpoint of a superblock left it. Throws CorruptionError, DiskError. */
  constructor(disk: Disk, superblock: Superblock, readOnly: boolean) {
    const { uuid, geometry, nodesCapacity, epoch, root, stringsEnd, packsEnd } = superblock;
    const { nextIno, nextBlob, nextDataset, sharedRecords, createdMs, inodes, dataBytes } = superblock;
    this.pages = PageStore.open(disk, geometry.nodesSegmentBytes, nodesCapacity, epoch, readOnly);
    const isOld = superblock.version === FORMAT_WITHOUT_CATALOG;
    // A read-only store of format 1 has no catalog: its only tree is looked at in its place, and found to hold no volumes.
    if (isOld && !readOnly) this.pages.reserve(1);
    const tree = isOld && !readOnly ? Tree.create(this.pages) : new Tree(this.pages, root);
    this.references = new RecordReferences(tree, sharedRecords);
    this.strings = new StringTable(disk, stringsEnd, geometry.arenaSegmentBytes, readOnly, {
      isShared: (address) => this.references.isShared('string', address),
      drop: (address) => this.references.drop('string', address),
    });
    this.packs = new Packs(disk, packsEnd, geometry.arenaSegmentBytes, readOnly, {
      isShared: (address) => this.references.isShared('extent', address),
      drop: (address) => this.references.drop('extent', address),
    });
    this.blobs = new BlobStore(disk, readOnly);
    this.counters = { nextIno, nextBlob, nextDataset: isOld ? asDatasetId(MAIN_VOLUME + 1) : nextDataset };
    this.hash = new NameHash(uuid);
    this.catalog = new Catalog(tree, this.strings);
    this.pages.onLeafShared = (words, base) => shareLeafRecords(this, words, base);
    if (isOld) this.catalog.adopt(mainVolume(root, createdMs, inodes, dataBytes));
    else this.catalog.load();
    for (const dataset of this.catalog.volumes) this.volumeOf(dataset);
  }

  /** The state of a volume or snapshot, of which there is one. Throws StoreError for one that has been destroyed. */
  volumeOf(dataset: Dataset): VolumeState {
    const known = this.#volumes.get(dataset.id);
    if (known !== undefined) return known;
    if (this.catalog.get(dataset.id) === undefined) throw gone(dataset);
    const state = new VolumeState(this, dataset);
    this.#volumes.set(dataset.id, state);
    return state;
  }

  /** The state of the volume that a log record is about. */
  volume(id: DatasetId): VolumeState {
    const known = this.#volumes.get(id);
    if (known === undefined) throw new CorruptionError(`dataset ${id}`, 'missing');
    return known;
  }

  get volumes(): readonly VolumeState[] {
    return [...this.#volumes.values()].filter(({ dataset }) => dataset.type === 'volume');
  }

  /** A dataset is gone. */
  forget(id: DatasetId): void {
    this.#volumes.delete(id);
  }

  mountPointsOf(id: DatasetId): readonly string[] {
    return this.mounted.flatMap(({ dataset, mountPoint }) => (dataset === id ? [mountPoint] : []));
  }

  takeIno(ino: Ino): void {
    if (ino >= this.counters.nextIno) this.counters.nextIno = asIno(ino + 1);
  }

  takeBlob(blob: BlobId): void {
    if (blob >= this.counters.nextBlob) this.counters.nextBlob = asBlobId(blob + 1);
  }

  takeDataset(id: DatasetId): void {
    if (id >= this.counters.nextDataset) this.counters.nextDataset = asDatasetId(id + 1);
  }

  /** A leaf points to a blob no more: without others, the blob is dead. */
  releaseBlob(blob: BlobId): void {
    if (this.references.drop('blob', blob)) this.deadBlobs.push(blob);
  }

  /** A leaf is about to go. */
  releaseRecords(words: Uint32Array, base: number): void {
    releaseLeafRecords(this, words, base);
  }

  close(): void {
    this.pages.close();
    this.strings.arena.close();
    this.packs.arena.close();
    this.blobs.close();
  }
}

/** A volume, or a snapshot to read from. */
export class VolumeState {
  readonly store: StoreState;
  readonly dataset: Dataset;
  readonly tree: Tree;
  readonly pages: PageStore;
  readonly strings: StringTable;
  readonly packs: Packs;
  readonly blobs: BlobStore;
  readonly entries: NamedItems;
  readonly xattrs: NamedItems;
  /** Inodes without a name whose last user may still be there. */
  readonly orphans = new Set<Ino>();
  /** Those of them that the tree has items for. */
  readonly savedOrphans = new Set<Ino>();
  /** Those of them that are to be swept, directories among them with all that is in them (apply/removed-trees.ts). */
  readonly removed: Ino[] = [];

  constructor(store: StoreState, dataset: Dataset) {
    this.store = store;
    this.dataset = dataset;
    this.pages = store.pages;
    this.tree = new Tree(store.pages, dataset.root);
    this.strings = store.strings;
    this.packs = store.packs;
    this.blobs = store.blobs;
    this.entries = new NamedItems(this.tree, store.strings, store.hash, KIND_DIRENT, 2);
    this.xattrs = new NamedItems(this.tree, store.strings, store.hash, KIND_XATTR, 0);
  }
}
