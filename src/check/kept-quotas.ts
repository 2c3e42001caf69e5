/**
 * Quotas on directories in a tree that is built anew: which group each inode counts for, by where it is then, and what the groups
 * use (the rules: volume/quota-groups.ts).
 */
import { KIND_INODE, KIND_QUOTA, VOLUME_OBJECT } from '../volume/items.js';
import { isRegular } from '../volume/mode.js';
import { type QuotaRecord, readQuotaRecord } from '../volume/quota-record.js';
import type { InodeFates } from './inode-fates.js';
import { readRecord } from './inode-record.js';
import { NO_PARENT } from './inode-table.js';
import type { KeptNames } from './kept-names.js';
import type { SurvivingTree } from './surviving-items.js';

export interface KeptQuota {
  readonly record: QuotaRecord;
  bytes: number;
  inodes: number;
}

const UNKNOWN = -1;

export class KeptQuotas {
  readonly #tree: SurvivingTree;
  readonly #fates: InodeFates;
  readonly #names: KeptNames;
  /** By group. */
  readonly quotas = new Map<number, KeptQuota>();
  /** The groups of directories that a quota is on. */
  readonly #on = new Map<number, number>();
  /** By index in the inode table. */
  readonly #groups: Int32Array;

  /** `orphans`: inodes that have no name, which keep the group that they have. */
  constructor(tree: SurvivingTree, fates: InodeFates, names: KeptNames, orphans: ReadonlySet<number>) {
    this.#tree = tree;
    this.#fates = fates;
    this.#names = names;
    for (const { page, slot } of tree.items()) {
      if (page.object(slot) !== VOLUME_OBJECT) break;
      if (page.kind(slot) !== KIND_QUOTA) continue;
      const record = readQuotaRecord(page.words, page.valueWord(slot));
      this.quotas.set(page.minor(slot), { record, bytes: 0, inodes: 0 });
      // What a repair puts into /lost+found counts for no quota.
      const isPlaced = !orphans.has(record.directory) && record.directory !== names.usableLostAndFound();
      if (isPlaced) this.#on.set(record.directory, page.minor(slot));
    }
    this.#groups = new Int32Array(names.table.length).fill(UNKNOWN);
    if (this.quotas.size > 0) this.#addUp(orphans);
  }

  /** The group of an inode of the new tree; 0 for none. */
  group(index: number): number {
    return this.quotas.size === 0 ? 0 : Math.max(0, this.#groups[index]);
  }

  #addUp(orphans: ReadonlySet<number>): void {
    const { table } = this.#names;
    for (const { page, slot } of this.#tree.items()) {
      if (page.kind(slot) !== KIND_INODE) continue;
      const index = table.find(page.object(slot));
      if (index < 0) continue;
      const record = readRecord(page.words, page.valueWord(slot));
      const isOrphan = orphans.has(page.object(slot));
      if (isOrphan) this.#groups[index] = this.quotas.has(record.quotaGroup) ? record.quotaGroup : 0;
      const { mode, size } = this.#fates.fates.get(page.object(slot)) ?? record;
      this.#count(isOrphan ? this.#groups[index] : this.#place(index), isRegular(mode) ? size : 0);
    }
    // Inodes whose records are new.
    for (const [ino, { isNew, mode, size }] of this.#fates.fates) {
      if (isNew) this.#count(this.#place(table.find(ino)), isRegular(mode) ? size : 0);
    }
    for (const [group, { inodes }] of this.quotas) if (inodes === 0) this.quotas.delete(group);
  }

  #count(group: number, bytes: number): void {
    const quota = this.quotas.get(group);
    if (quota === undefined) return;
    quota.bytes += bytes;
    quota.inodes++;
  }

  /** The group by the directories that an inode is in, the outermost first. */
  #place(index: number): number {
    const { table } = this.#names;
    const path: number[] = [];
    for (let at = index; at !== NO_PARENT && at >= 0 && this.#groups[at] === UNKNOWN; at = table.parent(at))
      path.push(at);
    for (const at of path.reverse()) {
      const parent = table.parent(at);
      const above = parent === NO_PARENT ? 0 : this.#groups[parent];
      this.#groups[at] = above > 0 ? above : (this.#on.get(table.ino(at)) ?? 0);
    }
    return this.#groups[index];
  }
}
