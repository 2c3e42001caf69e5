/**
 * Applies the operations on quotas of directories. They take time by the number of inodes that come into a group or leave it.
 */
import { CorruptionError } from '../../errors/corruption.js';
import type { Ino } from '../../store/units.js';
import { entriesOf } from '../directory-entries.js';
import { Inode } from '../inode.js';
import { KIND_QUOTA, VOLUME_OBJECT } from '../items.js';
import { isDirectory } from '../mode.js';
import type { RemoveQuotaOperation, SetQuotaOperation } from '../operation.js';
import { changeLimits, charge, countedBytes, insertQuota, quotaOn } from '../quota-groups.js';
import type { VolumeState } from '../state.js';
import { loadInode } from './load.js';

export class QuotaChanges {
  readonly #state: VolumeState;
  readonly #inode = new Inode();

  constructor(state: VolumeState) {
    this.#state = state;
  }

  set({ directory, limits }: SetQuotaOperation): void {
    const { tree } = this.#state;
    const known = quotaOn(tree, loadInode(this.#state, this.#inode, directory));
    if (known !== undefined) {
      changeLimits(tree, known, limits);
      return;
    }
    const group = insertQuota(tree, directory, limits);
    const used = this.#move(directory, 0, group);
    charge(tree, group, used.bytes, used.inodes);
  }

  remove({ directory }: RemoveQuotaOperation): void {
    const { tree, orphans } = this.#state;
    const quota = quotaOn(tree, loadInode(this.#state, this.#inode, directory));
    if (quota === undefined) throw new CorruptionError(`inode ${directory}`, 'its quota is missing');
    this.#move(directory, quota.group, 0);
    for (const ino of orphans) {
      const inode = loadInode(this.#state, this.#inode, ino);
      if (inode.quotaGroup === quota.group) this.#assign(inode, 0);
    }
    tree.remove(VOLUME_OBJECT, KIND_QUOTA, quota.group);
  }

  #assign(inode: Inode, group: number): void {
    inode.quotaGroup = group;
    inode.store(this.#state.tree);
  }

  /** Moves all inodes of a group that can be reached from a directory to another group. Returns what they come to. */
  #move(directory: Ino, from: number, to: number): { bytes: number; inodes: number } {
    const total = { bytes: 0, inodes: 0 };
    const waiting = [directory];
    for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
      const inode = loadInode(this.#state, this.#inode, ino);
      // Another name of a file that has been moved.
      if (inode.quotaGroup !== from) continue;
      this.#assign(inode, to);
      total.bytes += countedBytes(inode);
      total.inodes++;
      if (!isDirectory(inode.mode)) continue;
      for (const entry of entriesOf(this.#state.tree, ino)) waiting.push(entry.ino);
    }
    return total;
  }
}
