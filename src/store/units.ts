/**
 * The numbers that must not be mixed up, each with its unit, as branded types.
 *
 * All are JavaScript numbers below 2^53. On disk they are unsigned little-endian 64-bit integers unless a format says
 * otherwise.
 */

declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]: Name };

/** An inode number: 1 is the root directory, 0 is no inode. Never reused within a store. */
export type Ino = Unit<'ino'>;
/** A log sequence number: the byte offset of a record in the endless log. */
export type Lsn = Unit<'lsn'>;
/** The number of a 4 KiB page in nodes.dat. Page 0 is never used and means none. */
export type PageNumber = Unit<'page'>;
/** The number of a checkpoint interval. Pages born in an earlier epoch than the current one are immutable. */
export type Epoch = Unit<'epoch'>;
/** The number of a blob file. 0 is no blob. Never reused within a store. */
export type BlobId = Unit<'blob'>;
/** The number of a dataset: a volume or a snapshot. 0 is the volume `main`. Never reused within a store. */
export type DatasetId = Unit<'dataset'>;
/** A byte address in an arena (strings.dat or the packs). 0 is no extent. */
export type Address = Unit<'address'>;

export const asIno = (value: number): Ino => value as Ino;
export const asLsn = (value: number): Lsn => value as Lsn;
export const asPageNumber = (value: number): PageNumber => value as PageNumber;
export const asEpoch = (value: number): Epoch => value as Epoch;
export const asBlobId = (value: number): BlobId => value as BlobId;
export const asDatasetId = (value: number): DatasetId => value as DatasetId;
export const asAddress = (value: number): Address => value as Address;

export const ROOT_INO = asIno(1);
export const NO_PAGE = asPageNumber(0);
export const NO_BLOB = asBlobId(0);
export const MAIN_VOLUME = asDatasetId(0);
export const NO_ADDRESS = asAddress(0);
