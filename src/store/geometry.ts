/**
 * The sizes that a store is laid out in. They are written into its superblock, so that a store explains itself and tests can
 * make small ones; a store on a real disk has `GEOMETRY_DEFAULT`.
 */

/** Bytes of a tree page, of a reference block, and of a superblock slot. */
export const PAGE_SIZE = 4096;

export interface Geometry {
  /** Bytes of one nodes.dat segment file: a power of two, at most 1 GiB (what one mapping can span). */
  readonly nodesSegmentBytes: number;
  /** Bytes of one segment of the string table or the packs: a power of two, at most 1 GiB. */
  readonly arenaSegmentBytes: number;
  /** Bytes of one log segment: a power of two. */
  readonly logSegmentBytes: number;
}

export const GEOMETRY_DEFAULT: Geometry = {
  nodesSegmentBytes: 1024 * 1024 * 1024,
  arenaSegmentBytes: 64 * 1024 * 1024,
  logSegmentBytes: 8 * 1024 * 1024,
};

const isPowerOfTwoBetween = (value: number, least: number, most: number): boolean =>
  value >= least && value <= most && Number.isInteger(Math.log2(value));

/** Whether the sizes are ones that this program can use: what a superblock claims is checked before it is believed. */
export function isUsableGeometry(geometry: Geometry): boolean {
  return (
    isPowerOfTwoBetween(geometry.nodesSegmentBytes, 64 * 1024, 1024 * 1024 * 1024) &&
    isPowerOfTwoBetween(geometry.arenaSegmentBytes, 256 * 1024, 1024 * 1024 * 1024) &&
    isPowerOfTwoBetween(geometry.logSegmentBytes, 256 * 1024, 1024 * 1024 * 1024)
  );
}
