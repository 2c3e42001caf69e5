/**
 * Whether the quotas of a tree are whole: each uses what the inodes of its group come to, and groups are as the directories are.
 */
import type { Inode } from '../../src/volume/inode.js';
import { isDirectory } from '../../src/volume/mode.js';
import { allQuotas, countedBytes } from '../../src/volume/quota-groups.js';
import type { VolumeState } from '../../src/volume/state.js';

/** The first thing that is wrong, or undefined. */
export function quotaProblem({ tree }: VolumeState, inodes: readonly Inode[]): string | undefined {
  const quotas = new Map(allQuotas(tree).map((quota) => [quota.group, quota]));
  for (const { group, directory, bytesUsed, inodesUsed } of quotas.values()) {
    const members = inodes.filter(({ quotaGroup }) => quotaGroup === group);
    const bytes = members.reduce((sum, inode) => sum + countedBytes(inode), 0);
    if (bytesUsed !== bytes) return `quota group ${group} uses ${bytes} bytes, noted are ${bytesUsed}`;
    if (inodesUsed !== members.length) return `quota group ${group} has ${members.length} inodes, noted ${inodesUsed}`;
    if (members.length === 0) return `quota group ${group} is empty`;
    const on = members.find(({ ino }) => ino === directory);
    if (on !== undefined && !isDirectory(on.mode)) return `quota group ${group} is not on a directory`;
  }
  const groupOf = new Map(inodes.map(({ ino, quotaGroup }) => [ino, quotaGroup]));
  for (const inode of inodes) {
    const { ino, quotaGroup, nlink, parent } = inode;
    if (quotaGroup !== 0 && !quotas.has(quotaGroup)) return `inode ${ino} is of the missing quota group ${quotaGroup}`;
    const isOn = quotas.get(quotaGroup)?.directory === ino;
    // A file with several names may not know any of them.
    if (nlink === 0 || parent === 0) continue;
    const above = groupOf.get(parent);
    if (above !== (isOn ? 0 : quotaGroup)) return `inode ${ino} is of quota group ${quotaGroup}, in one of ${above}`;
  }
  return undefined;
}
