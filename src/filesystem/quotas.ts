/**
 * Quotas, as those who use the files meet them: EDQUOT for what would exceed one, and statfs that shows what it leaves.
 *
 * An inode counts for the volume, and for the directory quota that it is under. Files count with their sizes, however sparse they are
 * and whatever they share. What takes nothing more is never refused, also when a limit was lowered below what is used.
 */
import { EDQUOT, EFBIG } from '../errors/errno.js';
import { quotaOfGroup } from '../volume/quota-groups.js';
import { NO_LIMIT } from '../volume/quota-record.js';
import type { VolumeState } from '../volume/state.js';
import type { Volume } from '../volume/volume.js';
import { volumeLimits } from '../volume/volume-quota.js';
import type { FileSystemStatistics } from './operations.js';

/** Bytes that a volume may be said to hold: beyond, what quotas count would not be exact. Sparse files come to that. */
const VOLUME_BYTES_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Throws EDQUOT unless an inode of this quota group may take so much more, once everything is gone that was removed before; and EFBIG
 * where no volume may.
 */
export function assertRoom({ state, store }: Volume, group: number, bytes: number, inodes: number): void {
  if (bytes <= 0 && inodes <= 0) return;
  try {
    assertRoomNow(state, group, bytes, inodes);
  } catch (error) {
    if (error !== EDQUOT || state.removed.length === 0) throw error;
    store.sweeper.sweepAll(state);
    assertRoomNow(state, group, bytes, inodes);
  }
}

function assertRoomNow({ tree, dataset }: VolumeState, group: number, bytes: number, inodes: number): void {
  if (exceeds(dataset.dataBytes, bytes, VOLUME_BYTES_MAX)) throw EFBIG;
  const limits = volumeLimits(dataset);
  if (exceeds(dataset.dataBytes, bytes, limits.bytes) || exceeds(dataset.inodes, inodes, limits.inodes)) throw EDQUOT;
  if (group === 0) return;
  const quota = quotaOfGroup(tree, group);
  if (exceeds(quota.bytesUsed, bytes, quota.limits.bytes)) throw EDQUOT;
  if (exceeds(quota.inodesUsed, inodes, quota.limits.inodes)) throw EDQUOT;
}

const exceeds = (used: number, more: number, limit: number): boolean => more > 0 && used + more > limit;

/** What is used under the closest limit, and how much may be added under all of them. */
interface View {
  readonly used: number;
  readonly left: number;
}

/** From the volume to the directory: the last limit is the closest. Undefined where there is no limit. */
function viewOf(quotas: readonly { readonly used: number; readonly limit: number }[]): View | undefined {
  const closest = quotas.findLast(({ limit }) => limit !== NO_LIMIT);
  if (closest === undefined) return undefined;
  return { used: closest.used, left: Math.max(0, Math.min(...quotas.map(({ used, limit }) => limit - used))) };
}

/**
 * Narrows the host's figures to what the quotas of an inode's group leave: all is what is used and what is free, and no more is free
 * than the host has. Where the host has room, the total is the limit.
 */
export function narrowToQuotas({ tree, dataset }: VolumeState, group: number, out: FileSystemStatistics): void {
  const limits = volumeLimits(dataset);
  const quota = group === 0 ? undefined : quotaOfGroup(tree, group);
  const bytes = [{ used: dataset.dataBytes, limit: limits.bytes }];
  const inodes = [{ used: dataset.inodes, limit: limits.inodes }];
  if (quota !== undefined) {
    bytes.push({ used: quota.bytesUsed, limit: quota.limits.bytes });
    inodes.push({ used: quota.inodesUsed, limit: quota.limits.inodes });
  }
  const space = viewOf(bytes);
  if (space !== undefined) {
    const left = Math.floor(space.left / out.blockSize);
    out.blocksFree = Math.min(out.blocksFree, left);
    out.blocksAvailable = Math.min(out.blocksAvailable, left);
    out.blocks = Math.ceil(space.used / out.blockSize) + out.blocksFree;
  }
  const files = viewOf(inodes);
  if (files !== undefined) {
    out.filesFree = Math.min(out.filesFree, files.left);
    out.files = files.used + out.filesFree;
  }
}
