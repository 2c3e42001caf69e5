/**
 * Managing the quotas on directories of an open store: what the commands ask for, checked, then made durable before it is reported.
 * quota-groups.ts says what a quota is; the quota of a whole volume is among its properties (volume-quota.ts).
 */
import { CorruptionError } from '../errors/corruption.js';
import { StoreError } from '../errors/store-error.js';
import type { Ino } from '../store/units.js';
import { ROOT_INO } from '../store/units.js';
import type { Dataset } from './dataset.js';
import { entriesOf } from './directory-entries.js';
import { Inode } from './inode.js';
import { pathOf } from './inode-path.js';
import { InodeSet } from './inode-set.js';
import { isDirectory } from './mode.js';
import { resolvePath } from './paths.js';
import { allQuotas, quotaOfGroup, quotaOn } from './quota-groups.js';
import { NO_LIMIT, QUOTA_GROUPS_MAX, type QuotaLimits } from './quota-record.js';
import type { VolumeState } from './state.js';
import type { Store } from './store.js';

/** A quota, and the path in its volume of the directory that it is on. */
export interface DirectoryQuota {
  readonly path: string;
  readonly limits: QuotaLimits;
  readonly bytesUsed: number;
  readonly inodesUsed: number;
}

export class Quotas {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The quotas in a volume or snapshot, by path. */
  list(dataset: Dataset): DirectoryQuota[] {
    const state = this.#store.state.volumeOf(dataset);
    const quotas = allQuotas(state.tree).flatMap(({ directory, limits, bytesUsed, inodesUsed }) => {
      const path = pathOf(state, directory);
      // Without a path the directory has been removed, and something that was in it is still in use.
      return path === undefined ? [] : [{ path, limits, bytesUsed, inodesUsed }];
    });
    return quotas.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** The quota on a directory. Throws StoreError when there is none. */
  get(dataset: Dataset, path: string): DirectoryQuota {
    const state = this.#store.state.volumeOf(dataset);
    const quota = quotaOn(state.tree, this.#directory(state, path));
    if (quota === undefined) {
      throw new StoreError(
        'no-such-quota',
        `There is no quota on "/${path}".`,
        'See those that there are with: razorfs quota list',
      );
    }
    const { limits, bytesUsed, inodesUsed } = quota;
    return { path, limits, bytesUsed, inodesUsed };
  }

  /**
   * Puts a quota on a directory, or changes the one that is on it; a limit that is not given stays. What is there already counts, and
   * may be more than the quota allows: then nothing can be added. Throws StoreError.
   */
  async set(volume: Dataset, path: string, changes: Partial<QuotaLimits>): Promise<void> {
    for (const limit of [changes.bytes, changes.inodes]) checkLimit(limit);
    if (this.#store.sweeper.isNeeded) await this.#store.swept();
    const state = this.#store.state.volumeOf(volume);
    const inode = this.#directory(state, path);
    const known = quotaOn(state.tree, inode);
    const { bytes = NO_LIMIT, inodes = NO_LIMIT } = { ...known?.limits, ...changes };
    if (bytes === NO_LIMIT && inodes === NO_LIMIT) {
      throw new StoreError(
        'bad-quota',
        `A quota on "/${path}" without any limit would do nothing.`,
        'Limit its bytes or its inodes, or take the quota away with: razorfs quota remove',
      );
    }
    const count = known === undefined ? this.#survey(state, inode, path) : 0;
    const limits = { bytes, inodes };
    this.#store.perform(volume.id, { type: 'setQuota', directory: inode.ino, limits, inodes: count }, 0);
    await this.#store.commit('all');
  }

  /** Takes the quota away that is on a directory. What is in it stays. Throws StoreError. */
  async remove(volume: Dataset, path: string): Promise<void> {
    const state = this.#store.state.volumeOf(volume);
    this.get(volume, path);
    const { ino: directory } = this.#directory(state, path);
    this.#store.perform(volume.id, { type: 'removeQuota', directory }, 0);
    await this.#store.commit('all');
  }

  #directory(state: VolumeState, path: string): Inode {
    const ino = resolvePath(state, path);
    const inode = new Inode();
    if (ino === undefined || !inode.load(state.tree, ino) || !isDirectory(inode.mode)) {
      throw new StoreError('no-such-directory', `"/${path}" is not a directory of the volume.`);
    }
    if (ino === ROOT_INO) {
      throw new StoreError(
        'bad-quota',
        'The root directory has the quota of its volume.',
        'Set that as a property: razorfs volume set … quota=SIZE',
      );
    }
    return inode;
  }

  /** Checks that a directory and all below can come to count for a new quota. Returns how many inodes these are. */
  #survey(state: VolumeState, directory: Inode, path: string): number {
    const { tree } = state;
    if (directory.quotaGroup !== 0) {
      const outer = pathOf(state, quotaOfGroup(tree, directory.quotaGroup).directory);
      throw new StoreError(
        'bad-quota',
        `"/${path}" is in "/${outer}", which has a quota. Quotas cannot be nested.`,
        'Remove that one first: razorfs quota remove',
      );
    }
    if (allQuotas(tree).length >= QUOTA_GROUPS_MAX - 1) throw new StoreError('bad-quota', 'There are too many quotas.');
    const linked = new Map<Ino, { links: number; found: number }>();
    const directories = new InodeSet();
    const inode = new Inode();
    const waiting = [directory.ino];
    let count = 0;
    for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
      const known = linked.get(ino);
      if (known !== undefined) {
        known.found++;
        continue;
      }
      inode.load(tree, ino);
      count++;
      if (inode.quotaGroup !== 0) throw nested(state, path, ino);
      if (isDirectory(inode.mode)) {
        // A directory has one name: whoever comes to one again goes round in a circle.
        if (directories.has(ino)) throw new CorruptionError(`inode ${ino}`, 'a directory with several names');
        directories.add(ino);
        for (const entry of entriesOf(tree, ino)) waiting.push(entry.ino);
      } else if (inode.nlink > 1) linked.set(ino, { links: inode.nlink, found: 1 });
    }
    for (const [ino, { links, found }] of linked) {
      if (found < links) throw linkedFromOutside(state, path, ino);
    }
    return count;
  }
}

function checkLimit(limit: number | undefined): void {
  if (limit === undefined || limit === NO_LIMIT || (Number.isSafeInteger(limit) && limit > 0)) return;
  throw new StoreError('bad-quota', `${limit} cannot be the limit of a quota.`, 'Use a whole number above 0.');
}

const nested = (state: VolumeState, path: string, inner: Ino): StoreError =>
  new StoreError(
    'bad-quota',
    `"/${path}" contains "/${pathOf(state, inner)}", which has a quota. Quotas cannot be nested.`,
    'Remove that one first: razorfs quota remove',
  );

function linkedFromOutside(state: VolumeState, path: string, ino: Ino): StoreError {
  const name = pathOf(state, ino);
  const file = name === undefined ? `File ${ino}` : `The file "/${name}"`;
  return new StoreError(
    'bad-quota',
    `${file} has names in "/${path}" and outside. A file counts for one quota only.`,
    'Remove its names on one side, or copy it.',
  );
}
