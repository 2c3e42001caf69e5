/**
 * Histories that once broke the contract, or that lead to where it is easily broken.
 */
import type { Step } from './model.js';

/** Files enough for a tree of several leaves, and checkpoints in between, so that its pages lie apart. */
const MANY_FILES: readonly Step[] = Array.from({ length: 60 }, (_, index): readonly Step[] => [
  { op: 'create', path: `file ${index}` },
  { op: 'chmod', path: `file ${(index * 37) % (index + 1)}` },
  { op: 'checkpoint' },
]).flat();

/** Changes here and there while a checkpoint is under way. */
const SCATTERED_CHANGES: readonly Step[] = Array.from({ length: 12 }, (_, round): readonly Step[] => [
  { op: 'chmod', path: `file ${(round * 29) % 60}` },
  { op: 'startCheckpoint' },
  { op: 'chmod', path: `file ${(round * 29 + 17) % 60}` },
  { op: 'chmod', path: `file ${(round * 29 + 41) % 60}` },
  { op: 'complete', index: 0 },
  { op: 'complete', index: 0 },
  { op: 'checkpoint' },
]).flat();

export const NAMED_HISTORIES: Readonly<Record<string, readonly Step[]>> = {
  'each of two files that exchange their names has its data': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 0, length: 50_000 },
    { op: 'fsync', path: 'a' },
    { op: 'create', path: 'b' },
    { op: 'write', path: 'b', at: 0, length: 60_000 },
    { op: 'exchange', path: 'a', to: 'b' },
  ],
  'a crash during recovery finds the log that was being replayed': [{ op: 'mkdir', path: 'd' }, { op: 'kill' }],
  'a superblock that a dead process wrote is synced before its predecessor is given up': [
    { op: 'create', path: 'a' },
    { op: 'startCheckpoint' },
    { op: 'complete', index: 0 },
    { op: 'kill' },
    { op: 'kill' },
    { op: 'create', path: 'b' },
  ],
  'data that a dead process wrote is synced by the next': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 100_000, length: 100_000 },
    { op: 'kill' },
    { op: 'fsync', path: 'a' },
  ],
  'so is what it wrote without a record of its own': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'checkpoint' },
    { op: 'writeBack', path: 'a', at: 0, length: 5000 },
    { op: 'writeBack', path: 'a', at: 70_000, length: 10 },
    { op: 'startFsync', path: 'a' },
    { op: 'writeBack', path: 'a', at: 8192, length: 5000 },
    { op: 'startCheckpoint' },
    { op: 'writeBack', path: 'a', at: 20_000, length: 5000 },
    { op: 'complete', index: 0 },
    { op: 'kill' },
    { op: 'fsync', path: 'a' },
  ],
  'and what it wrote so after a snapshot': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 0, length: 200_000 },
    { op: 'snapshot', name: 's' },
    { op: 'writeBack', path: 'a', at: 0, length: 10 },
    { op: 'writeBack', path: 'a', at: 70_000, length: 5000 },
    { op: 'checkpoint' },
    { op: 'writeBack', path: 'a', at: 70_000, length: 10 },
    { op: 'writeBack', path: 'a', at: 70_020, length: 10 },
    { op: 'kill' },
    { op: 'fsync', path: 'a' },
    { op: 'rollback', name: 's' },
    { op: 'writeBack', path: 'a', at: 0, length: 10 },
  ],
  'a deleted blob whose deletion is lost is deleted again': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 100_000, length: 40_000 },
    { op: 'unlink', path: 'a' },
    { op: 'kill' },
    { op: 'checkpoint' },
    { op: 'checkpoint' },
  ],
  'what was cut off does not come back when the file grows again': [
    { op: 'create', path: 'a' },
    { op: 'mkdir', path: 'd' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'commit' },
    { op: 'truncate', path: 'a', size: 33_000 },
    { op: 'fsync', path: 'd' },
    { op: 'write', path: 'a', at: 90_000, length: 10 },
    { op: 'fsync', path: 'd' },
  ],
  'what was cut off does not come back although the process died': [
    { op: 'create', path: 'a' },
    { op: 'mkdir', path: 'd' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'commit' },
    { op: 'truncate', path: 'a', size: 33_000 },
    { op: 'fsync', path: 'd' },
    { op: 'kill' },
    { op: 'write', path: 'a', at: 90_000, length: 10 },
    { op: 'fsync', path: 'd' },
  ],
  'a synced size is kept although the record of the sync comes after a rename that does not count': [
    { op: 'create', path: 'c' },
    { op: 'allocate', path: 'c', at: 40_000, length: 100_000 },
    { op: 'startCommit' },
    { op: 'rename', path: 'c', to: 'e' },
    { op: 'complete', index: 0 },
    { op: 'complete', index: 0 },
    { op: 'complete', index: 0 },
  ],
  'a file is not cut for a growth while the log of the cut is still being synced': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'commit' },
    { op: 'truncate', path: 'a', size: 40_000 },
    { op: 'startCommit' },
    { op: 'truncate', path: 'a', size: 60_000 },
    { op: 'chmod', path: 'a' },
  ],
  'a file is not cut for a growth before the barriers of others are covered': [
    { op: 'create', path: 'a' },
    { op: 'create', path: 'b' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'fsync', path: 'a' },
    { op: 'write', path: 'b', at: 0, length: 100_000 },
    { op: 'rename', path: 'b', to: 'c' },
    { op: 'startCommit' },
    { op: 'truncate', path: 'a', size: 10 },
    { op: 'truncate', path: 'a', size: 50_000 },
    { op: 'chmod', path: 'a' },
  ],
  'a page that a checkpoint under way lets go of is not written': [
    ...MANY_FILES,
    { op: 'remount' },
    ...SCATTERED_CHANGES,
  ],
  'a file is taken over from a snapshot, before its first byte, in its middle, at its end and past it': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 0, length: 300_000 },
    { op: 'snapshot', name: 's' },
    { op: 'write', path: 'a', at: 30_000, length: 10 },
    { op: 'write', path: 'a', at: 100_000, length: 65_536 },
    { op: 'fsync', path: 'a' },
    { op: 'punch', path: 'a', at: 250_000, length: 1000 },
    { op: 'truncate', path: 'a', size: 290_001 },
    { op: 'write', path: 'a', at: 310_000, length: 10 },
    { op: 'commit' },
  ],
  'a file that shares its data is taken over while the snapshot is still becoming durable, and by a process that died':
    [
      { op: 'create', path: 'a' },
      { op: 'write', path: 'a', at: 0, length: 200_000 },
      { op: 'startSnapshot', name: 's' },
      { op: 'write', path: 'a', at: 10_000, length: 10 },
      { op: 'commit' },
      { op: 'snapshot', name: 't' },
      { op: 'write', path: 'a', at: 70_000, length: 10 },
      { op: 'kill' },
      { op: 'write', path: 'a', at: 140_000, length: 10 },
      { op: 'rollback', name: 't', keep: 'k' },
      { op: 'write', path: 'a', at: 10_500, length: 10 },
      { op: 'fsync', path: 'a' },
    ],
  'a size that fallocate set is durable although a checkpoint had synced the blob before the commit': [
    { op: 'create', path: 'b' },
    { op: 'allocate', path: 'b', at: 511, length: 4096 },
    { op: 'startCheckpoint' },
    { op: 'complete', index: 0 },
    { op: 'commit' },
  ],
};

/** Where to crash it: everywhere, or in long ones here and there at the end. */
export const crashesIn = (steps: readonly Step[], percent: () => number): ((step: number) => boolean) =>
  steps.length <= 12 ? () => true : (step) => step >= steps.length - SCATTERED_CHANGES.length && percent() < 25;
