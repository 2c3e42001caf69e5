/**
 * What copying some subtrees from one tree into another comes to: which inodes keep their numbers, what can be shared, and what has
 * to be written. Nothing is changed yet.
 *
 * An inode keeps its number where the other tree has no such inode, and if that is allowed; otherwise it gets a new one. Inodes that
 * keep theirs, and lie side by side in the one tree with nothing between them in either, become a range whose pages are shared
 * (tree/graft.ts): all that is left to do for them is to change the records that cannot stay as they are, such as that of a file
 * which has lost a name.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asIno, type Ino } from '../store/units.js';
import type { ObjectRange } from '../tree/graft.js';
import { LEAF_SLOT_BYTES, padded } from '../tree/page.js';
import { Inode } from './inode.js';
import { InodeSet } from './inode-set.js';
import { KIND_DIRENT, KIND_INODE, KIND_QUOTA, readU64, VOLUME_OBJECT } from './items.js';
import { isDirectory } from './mode.js';
import { type Place, TYPE_DIRECTORY } from './paths.js';
import { countedBytes, quotaOn } from './quota-groups.js';
import { QUOTA_GROUPS_MAX, type QuotaLimits } from './quota-record.js';
import type { VolumeState } from './state.js';

/** Items side by side that are shared rather than copied: several leaves of them, since those at the ends are copied in part. */
export const SHARED_ITEMS_MIN = 256;

/** Where a name of a copy is, and which quota the copy counts for. */
export interface Placement {
  readonly parent: Ino;
  /** The minor key of its entry. */
  readonly minor: number;
  group: number;
}

/** What the record of a copy says in place of what the copied one does. */
export interface RecordChange extends Placement {
  nlink: number;
}

/** An inode to be copied item by item. */
export interface ItemCopy {
  readonly source: Ino;
  readonly ino: Ino;
  readonly change: RecordChange | undefined;
}

/** An entry of a copied directory that leads to another number than before. */
export interface EntryChange {
  /** The copy. */
  readonly directory: Ino;
  readonly minor: number;
  readonly child: Ino;
}

export interface CopiedQuota {
  readonly directory: Ino;
  readonly limits: QuotaLimits;
}

export interface Usage {
  inodes: number;
  bytes: number;
}

/** A copy with a new number. */
interface Renumbered extends RecordChange {
  readonly source: Ino;
  readonly ino: Ino;
}

/** A directory whose entries are to be followed. */
interface Waiting extends Placement {
  readonly source: Ino;
  readonly ino: Ino;
}

/** Inodes side by side that keep their numbers. */
interface Run {
  readonly from: Ino;
  /** The next inode of the other tree: the run ends before it. */
  readonly limit: number;
  to: Ino;
  items: number;
  bytes: number;
  /** While the run is short. */
  readonly inodes: Ino[];
}

/** What `Transplant` has to know of a plan. */
export type CarryPlan = Pick<
  TransplantPlan,
  'add' | 'addAlone' | 'finish' | 'ranges' | 'changes' | 'copies' | 'entries' | 'quotas' | 'usage' | 'places' | 'bytes'
>;

export class TransplantPlan {
  readonly #from: VolumeState;
  readonly #to: VolumeState;
  readonly #keepsNumbers: boolean;
  readonly #takeNumber: () => Ino;

  /** What keeps its number; by the group that it counts for. */
  readonly #kept = new InodeSet();
  readonly #keptIn = new Map<number, InodeSet>();
  /** Of those: names met, of files with several; and where the names are, where the records have to be changed. */
  readonly #names = new Map<Ino, number>();
  readonly #moved = new Map<Ino, Placement>();
  /** By group, and by the number of what is copied. */
  readonly #renumbered = new Map<number, Map<Ino, Renumbered>>();
  /** The other tree has no inode from this number on. */
  #emptyFrom = Number.POSITIVE_INFINITY;
  readonly #inode = new Inode();

  /** To be shared, in ascending order. */
  readonly ranges: ObjectRange[] = [];
  /** Changes to records within the ranges, by inode. */
  readonly changes = new Map<Ino, RecordChange>();
  /** In ascending order of the copies. */
  readonly copies: ItemCopy[] = [];
  readonly entries: EntryChange[] = [];
  /** Quotas that come along with their directories, by group. */
  readonly quotas = new Map<number, CopiedQuota>();
  /** What the copies take, by group; 0 for those of no group. */
  readonly usage = new Map<number, Usage>();
  /** Where `copies` begin that lie side by side, those with new numbers counted each; and the bytes that they take in leaves. */
  places = 0;
  bytes = 0;

  /** `keepsNumbers`: whether copies may have the numbers of what they are copies of. `takeNumber` gives a new one. */
  constructor(from: VolumeState, to: VolumeState, keepsNumbers: boolean, takeNumber: () => Ino) {
    this.#from = from;
    this.#to = to;
    this.#keepsNumbers = keepsNumbers;
    this.#takeNumber = takeNumber;
  }

  // ── What is copied ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Adds what is at a place, with all that is in it, to get this placement in the other tree. Returns the copy's number. All copies get
   * their numbers in an order that replaying the log finds again. Throws CorruptionError for a directory that contains itself.
   */
  add({ ino: source, type }: Place, placement: Placement): Ino {
    const ino = this.#place(source, placement, true);
    const waiting: Waiting[] = type === TYPE_DIRECTORY ? [{ source, ino, ...placement }] : [];
    const followed = new InodeSet();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (followed.has(next.source))
        throw new CorruptionError(`inode ${next.source}`, 'a directory with several names');
      followed.add(next.source);
      this.#follow(next, waiting);
    }
    return ino;
  }

  /** Adds a directory without what is in it, which the caller copies at once. */
  addAlone(source: Ino, placement: Placement): ItemCopy {
    const ino = this.#isFree(source) ? source : this.#takeNumber();
    const group = this.#groupOf({ source, ino, ...placement });
    this.#count(group, 0);
    return { source, ino, change: { ...placement, group, nlink: 2 } };
  }

  /** The number of the copy of what a name leads to. `isMoved`: the record that is copied has another placement. */
  #place(source: Ino, placement: Placement, isMoved: boolean): Ino {
    const { group } = placement;
    const renumbered = this.#renumbered.get(group);
    const known = renumbered?.get(source);
    if (known !== undefined) {
      known.nlink++;
      return known.ino;
    }
    const kept = this.#keptIn.get(group);
    if (kept?.has(source) === true) {
      this.#names.set(source, (this.#names.get(source) ?? 1) + 1);
      return source;
    }
    if (this.#isFree(source)) {
      this.#keptIn.set(group, (kept ?? new InodeSet()).add(source));
      this.#kept.add(source);
      if (isMoved) this.#moved.set(source, placement);
      return source;
    }
    const copy = { ...placement, source, ino: this.#takeNumber(), nlink: 1 };
    this.#renumbered.set(group, (renumbered ?? new Map<Ino, Renumbered>()).set(source, copy));
    return copy.ino;
  }

  #isFree(source: Ino): boolean {
    if (!this.#keepsNumbers || this.#kept.has(source)) return false;
    if (source >= this.#emptyFrom) return true;
    const { tree } = this.#to;
    if (tree.seek(source, 0, 0)) return tree.object !== source;
    this.#emptyFrom = source;
    return true;
  }

  /** Adds what is in a directory. */
  #follow(directory: Waiting, waiting: Waiting[]): void {
    const { source, ino } = directory;
    const { tree } = this.#from;
    const group = this.#groupOf(directory);
    const isRegrouped = group !== this.#inode.quotaGroup;
    this.#regroup(directory, group, isRegrouped);
    for (let more = tree.seek(source, KIND_DIRENT, 0); more && tree.isAt(source, KIND_DIRENT); more = tree.next()) {
      const { words, valueWord, minor } = tree;
      const child = asIno(readU64(words, valueWord));
      const placement = { parent: ino, minor, group };
      const copy = this.#place(child, placement, isRegrouped || ino !== source);
      if (copy !== child) this.entries.push({ directory: ino, minor, child: copy });
      if (words[valueWord + 4] === TYPE_DIRECTORY) waiting.push({ source: child, ino: copy, ...placement });
    }
  }

  /** The group of a copied directory: its own quota comes along where there is none above. Loads its inode. */
  #groupOf({ source, ino, group }: Waiting): number {
    const inode = this.#load(source);
    if (group !== 0) return group;
    const quota = quotaOn(this.#from.tree, inode);
    if (quota === undefined) return 0;
    let free = quota.group;
    for (let number = 1; !this.#isFreeGroup(free); number++) free = number;
    if (free >= QUOTA_GROUPS_MAX) return 0;
    this.quotas.set(free, { directory: ino, limits: quota.limits });
    return free;
  }

  #isFreeGroup(group: number): boolean {
    return !this.quotas.has(group) && !this.#to.tree.find(VOLUME_OBJECT, KIND_QUOTA, group);
  }

  /** Notes the group of a directory, which was placed with that of the directory above. */
  #regroup({ source, ino, parent, minor, group: above }: Waiting, group: number, isRegrouped: boolean): void {
    const renumbered = this.#renumbered.get(above)?.get(source);
    if (renumbered !== undefined) renumbered.group = group;
    else if (isRegrouped || this.#moved.has(ino)) this.#moved.set(ino, { parent, minor, group });
  }

  #load(ino: Ino): Inode {
    if (!this.#inode.load(this.#from.tree, ino)) throw missing(ino);
    return this.#inode;
  }

  // ── How it is copied ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Decides what is shared and what is copied, once all has been added. */
  finish(): void {
    let run: Run | undefined;
    let isAtItem = false;
    const { tree } = this.#from;
    for (const ino of this.#kept) {
      const isNext = isAtItem && tree.object === ino;
      if (run === undefined || !isNext || ino >= run.limit) {
        this.#end(run);
        run = this.#begin(ino);
      }
      if (!isNext && !tree.seek(ino, 0, 0)) throw missing(ino);
      isAtItem = this.#measure(ino, this.#changeOf(ino), run);
    }
    this.#end(run);
    for (const copies of this.#renumbered.values()) {
      for (const copy of copies.values()) this.#addRenumbered(copy);
    }
    this.copies.sort((a, b) => a.ino - b.ino);
  }

  #begin(from: Ino): Run {
    const { tree } = this.#to;
    const limit = tree.seek(from, 0, 0) ? tree.object : Number.POSITIVE_INFINITY;
    return { from, limit, to: from, items: 0, bytes: 0, inodes: [] };
  }

  /** What changes in the record of an inode, at whose items the position is, that keeps its number. Loads the inode. */
  #changeOf(ino: Ino): RecordChange | undefined {
    const inode = this.#inode;
    if (!this.#from.tree.isAt(ino, KIND_INODE)) throw missing(ino);
    inode.read(this.#from.tree, ino);
    const moved = this.#moved.get(ino);
    const nlink = isDirectory(inode.mode) ? inode.nlink : (this.#names.get(ino) ?? 1);
    const { parent, nameMinor: minor, quotaGroup: group } = inode;
    if (moved !== undefined) return { ...moved, nlink };
    // The name that the record knows may be one of those that were left behind, or that lead to a copy for another quota.
    const isNameLost = !this.#kept.has(parent) || (inode.nlink > 1 && this.#hasOtherCopy(ino));
    if (parent !== 0 && isNameLost) return { parent: asIno(0), minor: 0, group, nlink };
    return nlink === inode.nlink ? undefined : { parent, minor, group, nlink };
  }

  #hasOtherCopy(ino: Ino): boolean {
    for (const copies of this.#renumbered.values()) if (copies.has(ino)) return true;
    return false;
  }

  /** Counts an inode, which has been loaded, with its items from the position on. Returns whether there is a next one. */
  #measure(ino: Ino, change: RecordChange | undefined, run: Run): boolean {
    const { tree } = this.#from;
    if (change !== undefined) this.changes.set(ino, change);
    this.#count(change?.group ?? this.#inode.quotaGroup, countedBytes(this.#inode));
    let more = true;
    for (; more && tree.object === ino; more = tree.next()) {
      run.items++;
      run.bytes += LEAF_SLOT_BYTES + padded(tree.valueLength);
    }
    run.to = asIno(ino + 1);
    if (run.items < SHARED_ITEMS_MIN) run.inodes.push(ino);
    return more;
  }

  #count(group: number, bytes: number): void {
    const used = this.usage.get(group) ?? { inodes: 0, bytes: 0 };
    used.inodes++;
    used.bytes += bytes;
    this.usage.set(group, used);
  }

  #end(run: Run | undefined): void {
    if (run === undefined) return;
    if (run.items >= SHARED_ITEMS_MIN) {
      this.ranges.push(run);
      return;
    }
    for (const ino of run.inodes) {
      this.copies.push({ source: ino, ino, change: this.changes.get(ino) });
      this.changes.delete(ino);
    }
    this.places++;
    this.bytes += run.bytes;
  }

  #addRenumbered(copy: Renumbered): void {
    const inode = this.#load(copy.source);
    if (isDirectory(inode.mode)) copy.nlink = inode.nlink;
    this.#count(copy.group, countedBytes(inode));
    const { tree } = this.#from;
    for (let more = true; more && tree.object === copy.source; more = tree.next()) {
      this.bytes += LEAF_SLOT_BYTES + padded(tree.valueLength);
    }
    this.places++;
    this.copies.push({ source: copy.source, ino: copy.ino, change: copy });
  }
}

const missing = (ino: Ino): CorruptionError => new CorruptionError(`inode ${ino}`, 'missing');
