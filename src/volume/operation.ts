/**
 * The operations of a volume: every change to it is one of these, as a value that can be logged, applied, and read back from the
 * log and applied again.
 *
 * They are logical (names and numbers, not pages), already checked against the volume's state, and carry everything that is
 * decided outside: inode numbers, times, resulting modes. Applying one therefore cannot fail for any reason of its own.
 *
 * operation-codec.ts has their form in the log.
 */
import type { BlobId, DatasetId, Ino, Lsn } from '../store/units.js';
import type { PropertyValues } from './dataset.js';
import type { Timestamp } from './inode.js';
import type { QuotaLimits } from './quota-record.js';

/** A change to the files of one volume. */
export type FileOperation =
  | MakeOperation
  | LinkOperation
  | UnlinkOperation
  | RenameOperation
  | SetAttributesOperation
  | ResizeOperation
  | WriteSmallOperation
  | WriteBlobOperation
  | PromoteOperation
  | SetXattrOperation
  | RemoveXattrOperation
  | BranchBlobOperation
  | TakeChunksOperation
  | SetQuotaOperation
  | RemoveQuotaOperation;

/** A change to the volumes and snapshots of the store. */
export type DatasetOperation =
  | CreateVolumeOperation
  | CreateSnapshotOperation
  | DestroyOperation
  | RenameDatasetOperation
  | SetPropertiesOperation
  | RollbackOperation
  | AdoptOperation;

export type Operation = FileOperation | DatasetOperation | SyncedOperation;

/** A new inode; with parent 0 one without a name (O_TMPFILE). */
export interface MakeOperation {
  readonly type: 'make';
  readonly ino: Ino;
  readonly parent: Ino;
  /** The directory that it is made in, with or without a name: it counts for the same quota. 0 in logs without quotas. */
  readonly directory: Ino;
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** The target of a symlink, otherwise empty. */
  readonly target: Uint8Array;
  /** The access control lists that it is born with. */
  readonly xattrs: readonly Xattr[];
  readonly time: Timestamp;
}

export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export interface LinkOperation {
  readonly type: 'link';
  readonly ino: Ino;
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly time: Timestamp;
}

/** Takes a name away, of a file or of an empty directory. */
export interface UnlinkOperation {
  readonly type: 'unlink';
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly time: Timestamp;
}

export interface RenameOperation {
  readonly type: 'rename';
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly toParent: Ino;
  readonly toName: Uint8Array;
  readonly exchange: boolean;
  /** A blob whose data must be durable before this record counts after a loss of power, or 0. */
  readonly barrier: BlobId;
  readonly time: Timestamp;
}

/** Sets all of these. */
export interface SetAttributesOperation {
  readonly type: 'setAttributes';
  readonly ino: Ino;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
}

/** Cuts or extends a file; its mode may lose bits with it. */
export interface ResizeOperation {
  readonly type: 'resize';
  readonly ino: Ino;
  readonly size: number;
  readonly mode: number;
  readonly time: Timestamp;
}

/** Writes to a file whose data is, or comes to be, in a pack. */
export interface WriteSmallOperation {
  readonly type: 'writeSmall';
  readonly ino: Ino;
  readonly position: number;
  readonly data: Uint8Array;
  readonly mode: number;
  readonly time: Timestamp;
}

/** Data was written to a blob, which the file gets with this if it had no data. The file reaches at least to `end`. */
export interface WriteBlobOperation {
  readonly type: 'writeBlob';
  readonly ino: Ino;
  readonly blob: BlobId;
  readonly end: number;
  readonly mode: number;
  readonly time: Timestamp;
}

/** The data of a small file was copied to a blob, which must be durable before this record counts after a loss of power. */
export interface PromoteOperation {
  readonly type: 'promote';
  readonly ino: Ino;
  readonly blob: BlobId;
}

export interface SetXattrOperation {
  readonly type: 'setXattr';
  readonly ino: Ino;
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  /** The mode after it, which an access ACL may change. */
  readonly mode: number;
  readonly time: Timestamp;
}

export interface RemoveXattrOperation {
  readonly type: 'removeXattr';
  readonly ino: Ino;
  readonly name: Uint8Array;
  readonly time: Timestamp;
}

/** All that was written to these blobs, or to every blob, before the record at an LSN was logged, is durable. */
export interface SyncedOperation {
  readonly type: 'synced';
  readonly before: Lsn;
  readonly blobs: readonly BlobId[] | 'all';
}

/** A file whose own blob is shared with a snapshot gets a new one, and parts for what it has in the old one (file-parts.ts). */
export interface BranchBlobOperation {
  readonly type: 'branchBlob';
  readonly ino: Ino;
  readonly blob: BlobId;
}

/**
 * Chunks `first` to `end` - 1 of a file have been copied into its own blob, which must be durable before this record counts after a
 * loss of power.
 */
export interface TakeChunksOperation {
  readonly type: 'takeChunks';
  readonly ino: Ino;
  readonly blob: BlobId;
  readonly first: number;
  readonly end: number;
}

/**
 * Puts a quota on a directory, which is not in the tree of another's, or changes its limits. With a new quota, all inodes below come
 * to count for it.
 */
export interface SetQuotaOperation {
  readonly type: 'setQuota';
  readonly directory: Ino;
  readonly limits: QuotaLimits;
  /** How many inodes come to count for it: for the space that this may take. */
  readonly inodes: number;
}

/** Takes away the quota that is on a directory. */
export interface RemoveQuotaOperation {
  readonly type: 'removeQuota';
  readonly directory: Ino;
}

/** A new volume: empty, with a root directory of this owner, or a clone. It counts as a snapshot does. */
export interface CreateVolumeOperation {
  readonly type: 'createVolume';
  readonly id: DatasetId;
  readonly name: string;
  /** The snapshot, or the volume, that it begins as; undefined for an empty one. */
  readonly origin: DatasetId | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly properties: PropertyValues;
  readonly time: Timestamp;
}

/** Takes a snapshot of a volume. It counts after a loss of power only when all data written before it is durable. */
export interface CreateSnapshotOperation {
  readonly type: 'createSnapshot';
  readonly id: DatasetId;
  readonly volume: DatasetId;
  readonly name: string;
  readonly properties: PropertyValues;
  readonly time: Timestamp;
}

/** Takes a snapshot, or a volume without snapshots, away for good. */
export interface DestroyOperation {
  readonly type: 'destroy';
  readonly id: DatasetId;
}

export interface RenameDatasetOperation {
  readonly type: 'renameDataset';
  readonly id: DatasetId;
  readonly name: string;
}

/** Replaces all properties. */
export interface SetPropertiesOperation {
  readonly type: 'setProperties';
  readonly id: DatasetId;
  readonly properties: PropertyValues;
}

/**
 * Puts a volume into the state of a snapshot, keeping what it replaces as a new snapshot, and carrying over what is at some paths.
 * It counts after a loss of power only when all data written before it is durable.
 */
export interface RollbackOperation {
  readonly type: 'rollback';
  readonly volume: DatasetId;
  readonly snapshot: DatasetId;
  /** The volume's new view, a number like those of datasets. */
  readonly view: DatasetId;
  /** The snapshot that keeps the replaced state; undefined to give it up. */
  readonly keep: KeptState | undefined;
  /** Paths in the volume, without slashes at their ends, that stay as they are. */
  readonly carried: readonly string[];
  /** Everything that is newer than the snapshot is taken over, and what is not carried over is left to be swept (in-place-plan.ts). */
  readonly isInPlace: boolean;
  /**
   * Empty for the whole volume. Otherwise only what is at this path is put into the state that it has in the snapshot; all else is
   * left alone, and `carried` is empty.
   */
  readonly path: string;
  readonly time: Timestamp;
}

export interface KeptState {
  readonly id: DatasetId;
  readonly name: string;
  readonly properties: PropertyValues;
}

/**
 * Puts a volume into the state of another one, which goes with its snapshots, and takes a snapshot of it: what was received becomes
 * visible in one step. It counts after a loss of power only when all data written before it is durable.
 */
export interface AdoptOperation {
  readonly type: 'adopt';
  /** The volume that comes to have the state; the other one itself where that is to stay, under its new name. */
  readonly volume: DatasetId;
  readonly from: DatasetId;
  readonly name: string;
  /** The volume's new view, a number like those of datasets. */
  readonly view: DatasetId;
  /** The properties that the volume has afterwards. */
  readonly properties: PropertyValues;
  readonly snapshot: KeptState;
  /** When the snapshot was made where it comes from. */
  readonly time: Timestamp;
}
