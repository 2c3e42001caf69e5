/**
 * The quota of a whole volume: two of its properties. What they limit is counted in the volume's record (dataset.ts): the sizes of
 * its regular files, and its inodes. What only its snapshots have is not counted.
 */
import type { Dataset } from './dataset.js';
import { NO_LIMIT, type QuotaLimits } from './quota-record.js';

/** Bytes. */
export const QUOTA_PROPERTY = 'quota';
export const INODE_QUOTA_PROPERTY = 'inode-quota';

const limitIn = (value: unknown): number => (typeof value === 'number' ? value : NO_LIMIT);

export const volumeLimits = ({ properties }: Dataset): QuotaLimits => ({
  bytes: limitIn(properties[QUOTA_PROPERTY]),
  inodes: limitIn(properties[INODE_QUOTA_PROPERTY]),
});
