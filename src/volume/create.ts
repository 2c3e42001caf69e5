/**
 * Making a store: its directories and files, an empty root directory, and at last the superblock.
 */
import { randomUUID } from 'node:crypto';
import { BLOBS_DIRECTORY } from '../blobs/blob-store.js';
import { PACKS_DIRECTORY } from '../blobs/packs.js';
import { StoreError } from '../errors/store-error.js';
import type { Disk } from '../store/disk.js';
import { GEOMETRY_DEFAULT, type Geometry } from '../store/geometry.js';
import { LABEL_BYTES_MAX, type Superblock, SuperblockFile } from '../store/superblock.js';
import { asBlobId, asIno, asLsn, NO_ADDRESS, ROOT_INO } from '../store/units.js';
import { PageStore } from '../tree/page-store.js';
import { Tree } from '../tree/tree.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import { Inode, timestampOf } from './inode.js';
import { S_IFDIR } from './mode.js';

export interface CreateOptions {
  readonly label: string;
  readonly geometry?: Geometry;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Owner of the root directory. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** Makes a store with an empty root directory on a disk that has none. Throws StoreError and DiskError. */
export async function createStore(disk: Disk, options: CreateOptions): Promise<void> {
  if (Buffer.byteLength(options.label) > LABEL_BYTES_MAX) {
    throw new StoreError('bad-label', `a label has at most ${LABEL_BYTES_MAX} bytes`);
  }
  const geometry = options.geometry ?? GEOMETRY_DEFAULT;
  const uuid = randomUUID().replaceAll('-', '');
  for (const directory of [BLOBS_DIRECTORY, PACKS_DIRECTORY, LOG_DIRECTORY]) disk.makeDirectory(directory);
  const pages = PageStore.create(disk, geometry.nodesSegmentBytes);
  const tree = Tree.create(pages);
  insertRoot(tree, options);
  const checkpoint = pages.beginCheckpoint();
  await pages.writeCheckpoint(checkpoint);
  const superblock: Superblock = {
    uuid,
    label: options.label,
    geometry,
    sequence: 1,
    epoch: checkpoint.epoch,
    lsn: asLsn(0),
    root: tree.root,
    nodesCapacity: pages.file.capacity,
    stringsEnd: NO_ADDRESS,
    packsEnd: NO_ADDRESS,
    nextIno: asIno(ROOT_INO + 1),
    nextBlob: asBlobId(1),
    inodes: 1,
    dataBytes: 0,
    mountCount: 0,
    createdMs: Math.floor(options.now),
    clean: true,
    bootId: '0'.repeat(32),
  };
  pages.close();
  disk.syncDirectory('');
  // The superblock comes last: a store exists when it is there.
  const file = new SuperblockFile(disk, 'create');
  await file.write(superblock);
  file.close();
  disk.syncDirectory('');
}

function insertRoot(tree: Tree, options: CreateOptions): void {
  const root = new Inode();
  const now = timestampOf(options.now);
  root.ino = ROOT_INO;
  root.mode = S_IFDIR | 0o755;
  root.nlink = 2;
  root.uid = options.owner.uid;
  root.gid = options.owner.gid;
  root.parent = ROOT_INO;
  root.setAtime(now);
  root.setChanged(now);
  root.btimeSeconds = now.seconds;
  root.btimeNanoseconds = now.nanoseconds;
  root.insert(tree);
}
