/**
 * Quotas on directories: the groups of inodes that they limit, and what each group uses.
 *
 * As with the project quotas of XFS, each inode knows the group that it counts for, which it has from the directory that it was made
 * in. QUOTA items in the volume's own tree have the limits and the usage of each group, which change with the inodes in the same
 * operation: they are as exact after a crash as the files are, and belong to snapshots and clones as these do.
 *
 * INVARIANTS:
 * - The bytes and inodes of a QUOTA item are those of all inodes of its group: the sizes of regular files, however sparse, and
 *   every inode that has a record, orphans too.
 * - An inode with a name has the group of the directory that the name is in. The only exception is the directory that a quota is on:
 *   that is in a directory of no group. Quotas are not nested therefore, and no file has names in two groups.
 *
 * Group numbers mean nothing outside their tree, and are never logged: which ones are free may depend on orphans, which replay finds
 * where the process that logged had removed them.
 */
import { CorruptionError } from '../errors/corruption.js';
import type { Ino } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import type { Inode } from './inode.js';
import { KIND_QUOTA, VOLUME_OBJECT } from './items.js';
import { isRegular } from './mode.js';
import {
  addToUsage,
  QUOTA_BYTES,
  QUOTA_GROUPS_MAX,
  type QuotaLimits,
  type QuotaRecord,
  readQuotaRecord,
  writeQuotaLimits,
} from './quota-record.js';

export interface QuotaGroup extends QuotaRecord {
  readonly group: number;
}

/** Bytes that an inode counts with. */
export const countedBytes = (inode: Inode): number => (isRegular(inode.mode) ? inode.size : 0);

/** The quota of a group, which exists. */
export function quotaOfGroup(tree: Tree, group: number): QuotaGroup {
  if (!tree.find(VOLUME_OBJECT, KIND_QUOTA, group)) throw missing(group);
  return quotaAtPosition(tree);
}

const missing = (group: number): CorruptionError => new CorruptionError(`quota group ${group}`, 'missing');

function quotaAtPosition(tree: Tree): QuotaGroup {
  const { words, valueWord, valueLength, minor: group } = tree;
  if (valueLength !== QUOTA_BYTES) {
    throw new CorruptionError(`quota group ${group}`, `a record of ${valueLength} bytes`);
  }
  return { group, ...readQuotaRecord(words, valueWord) };
}

/** The quota that is on this directory itself. */
export function quotaOn(tree: Tree, directory: Inode): QuotaGroup | undefined {
  if (directory.quotaGroup === 0) return undefined;
  const quota = quotaOfGroup(tree, directory.quotaGroup);
  return quota.directory === directory.ino ? quota : undefined;
}

/** All quotas, also those of directories that have been removed while some of their inodes are in use. */
export function allQuotas(tree: Tree): QuotaGroup[] {
  const quotas: QuotaGroup[] = [];
  for (let more = tree.seek(VOLUME_OBJECT, KIND_QUOTA, 0); more; more = tree.next()) {
    if (!tree.isAt(VOLUME_OBJECT, KIND_QUOTA)) break;
    quotas.push(quotaAtPosition(tree));
  }
  return quotas;
}

/** The first number from `first` on that no group has, or 0 when there is none. */
function freeGroup(tree: Tree, first: number): number {
  let group = first;
  for (let more = tree.seek(VOLUME_OBJECT, KIND_QUOTA, group); more; more = tree.next()) {
    if (!tree.isAt(VOLUME_OBJECT, KIND_QUOTA) || tree.minor !== group) break;
    group++;
  }
  return group < QUOTA_GROUPS_MAX ? group : 0;
}

/**
 * Adds a quota of which nothing is used yet, numbered from `first` on. Returns its group, or 0 when there are as many as there can be.
 */
export function insertQuota(tree: Tree, directory: Ino, limits: QuotaLimits, first = 1): number {
  const group = freeGroup(tree, first);
  if (group === 0) return 0;
  tree.insert(VOLUME_OBJECT, KIND_QUOTA, group, QUOTA_BYTES);
  writeQuotaLimits(tree.words, tree.valueWord, directory, limits);
  return group;
}

/** Changes the limits of a group. */
export function changeLimits(tree: Tree, { group, directory }: QuotaGroup, limits: QuotaLimits): void {
  tree.modify(VOLUME_OBJECT, KIND_QUOTA, group);
  writeQuotaLimits(tree.words, tree.valueWord, directory, limits);
}

/**
 * Counts what an inode of a group takes more, or less. With the last of its inodes the group goes: its directory went before, or with
 * it.
 */
export function charge(tree: Tree, group: number, bytes: number, inodes: number): void {
  if (group === 0 || (bytes === 0 && inodes === 0)) return;
  if (!tree.modify(VOLUME_OBJECT, KIND_QUOTA, group)) throw missing(group);
  if (!addToUsage(tree.words, tree.valueWord, bytes, inodes)) {
    throw new CorruptionError(`quota group ${group}`, 'uses less than nothing');
  }
  if (inodes < 0 && quotaAtPosition(tree).inodesUsed === 0) tree.remove(VOLUME_OBJECT, KIND_QUOTA, group);
}
