/**
 * The state of an open volume: the tree, what its items point to, and the counters that a checkpoint keeps beside it.
 *
 * All of it can be rebuilt from the store: what is only in memory here (orphans, dead blobs, counters) is written with each
 * checkpoint and follows again from replaying the log.
 */
import { BlobStore } from '../blobs/blob-store.js';
import { Packs } from '../blobs/packs.js';
import type { Disk } from '../store/disk.js';
import type { Superblock } from '../store/superblock.js';
import { asBlobId, asIno, type BlobId, type Ino } from '../store/units.js';
import { StringTable } from '../strings/string-table.js';
import { PageStore } from '../tree/page-store.js';
import { Tree } from '../tree/tree.js';
import { AppliedRequests } from './applied-requests.js';
import { KIND_DIRENT, KIND_XATTR } from './items.js';
import { NameHash } from './name-hash.js';
import { NamedItems } from './named-items.js';

export interface Counters {
  nextIno: Ino;
  nextBlob: BlobId;
  inodes: number;
  /** The sizes of all regular files, in bytes. */
  dataBytes: number;
}

export class VolumeState {
  readonly pages: PageStore;
  readonly tree: Tree;
  readonly strings: StringTable;
  readonly packs: Packs;
  readonly blobs: BlobStore;
  readonly counters: Counters;
  readonly entries: NamedItems;
  readonly xattrs: NamedItems;
  /** Inodes without a name whose last user may still be there. */
  readonly orphans = new Set<Ino>();
  readonly appliedRequests = new AppliedRequests();
  /** Blobs that died in this epoch. */
  deadBlobs: BlobId[] = [];

  constructor(
    uuid: string,
    pages: PageStore,
    tree: Tree,
    strings: StringTable,
    packs: Packs,
    blobs: BlobStore,
    counters: Counters,
  ) {
    this.pages = pages;
    this.tree = tree;
    this.strings = strings;
    this.packs = packs;
    this.blobs = blobs;
    this.counters = counters;
    const hash = new NameHash(uuid);
    this.entries = new NamedItems(tree, strings, hash, KIND_DIRENT, 2);
    this.xattrs = new NamedItems(tree, strings, hash, KIND_XATTR, 0);
  }

  takeInoNumber(ino: Ino): void {
    if (ino >= this.counters.nextIno) this.counters.nextIno = asIno(ino + 1);
  }

  takeBlobNumber(blob: BlobId): void {
    if (blob >= this.counters.nextBlob) this.counters.nextBlob = asBlobId(blob + 1);
  }
}

/** The state as the checkpoint of a superblock left it. Throws CorruptionError, DiskError. */
export function openState(disk: Disk, superblock: Superblock, readOnly: boolean): VolumeState {
  const { uuid, geometry, nodesCapacity, epoch, root, stringsEnd, packsEnd } = superblock;
  const { nextIno, nextBlob, inodes, dataBytes } = superblock;
  const pages = PageStore.open(disk, geometry.nodesSegmentBytes, nodesCapacity, epoch, readOnly);
  return new VolumeState(
    uuid,
    pages,
    new Tree(pages, root),
    new StringTable(disk, stringsEnd, geometry.arenaSegmentBytes, readOnly),
    new Packs(disk, packsEnd, geometry.arenaSegmentBytes, readOnly),
    new BlobStore(disk, readOnly),
    { nextIno, nextBlob, inodes, dataBytes },
  );
}
