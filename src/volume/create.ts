/**
 * Making a store: its directories and files, an empty root directory, and at last the superblock.
 */
import { randomUUID } from 'node:crypto';
import { BLOBS_DIRECTORY } from '../blobs/blob-store.js';
import { PACKS_DIRECTORY } from '../blobs/packs.js';
import { StoreError } from '../errors/store-error.js';
import type { Disk } from '../store/disk.js';
import { GEOMETRY_DEFAULT, type Geometry } from '../store/geometry.js';
import { FORMAT_VERSION, LABEL_BYTES_MAX, type Superblock, SuperblockFile } from '../store/superblock.js';
import { asBlobId, asDatasetId, asIno, asLsn, MAIN_VOLUME, NO_ADDRESS, ROOT_INO } from '../store/units.js';
import { PageStore } from '../tree/page-store.js';
import { Tree } from '../tree/tree.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import { insertDataset, mainVolume } from './dataset.js';
import { timestampOf } from './inode.js';
import { insertRootDirectory } from './root-directory.js';

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
  const catalog = createCatalog(pages, options);
  const checkpoint = pages.beginCheckpoint();
  await pages.writeCheckpoint(checkpoint);
  const superblock: Superblock = {
    uuid,
    version: FORMAT_VERSION,
    label: options.label,
    geometry,
    sequence: 1,
    epoch: checkpoint.epoch,
    lsn: asLsn(0),
    root: catalog.root,
    nodesCapacity: pages.file.capacity,
    stringsEnd: NO_ADDRESS,
    packsEnd: NO_ADDRESS,
    nextIno: asIno(ROOT_INO + 1),
    nextBlob: asBlobId(1),
    inodes: 1,
    dataBytes: 0,
    nextDataset: asDatasetId(MAIN_VOLUME + 1),
    sharedRecords: 0,
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

/** The catalog of a new store: one volume with an empty root directory. */
function createCatalog(pages: PageStore, options: CreateOptions): Tree {
  const files = Tree.create(pages);
  insertRootDirectory(files, options.owner.uid, options.owner.gid, timestampOf(options.now));
  const catalog = Tree.create(pages);
  insertDataset(catalog, mainVolume(files.root, Math.floor(options.now), 1, 0));
  return catalog;
}
