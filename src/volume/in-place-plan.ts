/**
 * Resetting in place: carrying over what persists without a look at each file of it.
 *
 * Inode numbers are never given out twice in a store. All inodes that a volume has made since a snapshot therefore lie beyond those of the
 * snapshot, side by side, and can be taken over as they are, whether they persist or not (tree/graft.ts): from the snapshot comes what is
 * below. The paths that persist get their names, and what else the old directories led to is left behind without one, whole trees
 * of it, to be swept away later (apply/removed-trees.ts).
 *
 * This takes time by the number of paths, of inodes that the snapshot has, and of names that its directories have got since. It is only
 * possible as long as the inodes that the snapshot has are where they were (`Survey`).
 */
import { CorruptionError } from '../errors/corruption.js';
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import type { ObjectRange } from '../tree/graft.js';
import { LEAF_SLOT_BYTES, padded } from '../tree/page.js';
import type { Tree } from '../tree/tree.js';
import { entriesOf } from './directory-entries.js';
import { Inode } from './inode.js';
import { KIND_DIRENT, KIND_INODE, readU64 } from './items.js';
import { isDirectory } from './mode.js';
import { outermost, type Place, placeAt, resolvePath, TYPE_DIRECTORY } from './paths.js';
import { allQuotas, countedBytes } from './quota-groups.js';
import type { VolumeState } from './state.js';
import {
  type CarryPlan,
  type CopiedQuota,
  type EntryChange,
  type ItemCopy,
  type Placement,
  type RecordChange,
  SHARED_ITEMS_MIN,
  type Usage,
} from './transplant-plan.js';

/** An entry of a directory, and what it leads to. */
export interface Name extends Place {
  readonly directory: Ino;
}

/** Where an inode has its only name: the directory, and the minor key of the entry there. */
interface NamePlace {
  readonly parent: Ino;
  readonly minor: number;
}

/** An inode that the snapshot has, as the volume has it now. */
interface OlderInode {
  readonly parent: Ino;
  readonly isDirectory: boolean;
  readonly bytes: number;
}

const nameKey = (directory: Ino, minor: number): string => `${directory}/${minor}`;

/** What becomes of the inodes of a volume that is reset in place. */
export class Survey {
  readonly #from: VolumeState;
  readonly #older = new Map<Ino, OlderInode>();
  readonly #paths: ReadonlySet<Ino>;
  readonly #carriedNames = new Set<string>();
  /** The snapshot has no inode from this number on. */
  first = asIno(ROOT_INO + 1);
  /** Inodes that the snapshot has too and that persist, in ascending order. */
  readonly kept: Ino[] = [];
  /** What the others take that the snapshot has too, or once had. */
  readonly gone: Usage = { inodes: 0, bytes: 0 };
  /** Names of paths that persist, in directories that do not. */
  readonly moved: Name[] = [];
  /** Names, in directories that the snapshot has, of what is left behind. */
  readonly left: Name[] = [];

  /**
   * Surveys a volume that is to be reset to a snapshot; undefined when an inode of the snapshot is not where it was, has several names, or
   * counts for the quota of a directory, or when more than `max` inodes or names have to be looked at. What is in use without a name
   * makes no difference: replaying the log may find more of that.
   */
  static of(from: VolumeState, to: VolumeState, carried: readonly string[], max: number): Survey | undefined {
    if (hasQuotas(from) || hasQuotas(to)) return undefined;
    const survey = new Survey(from, outermost(carried));
    return survey.#compare(to, max) && survey.#decide(max) ? survey : undefined;
  }

  private constructor(from: VolumeState, carried: readonly string[]) {
    this.#from = from;
    const paths = new Set<Ino>();
    for (const path of carried) {
      const place = placeAt(from, path);
      const directory = resolvePath(from, path.slice(0, Math.max(0, path.lastIndexOf('/'))));
      if (place === undefined || directory === undefined) continue;
      paths.add(place.ino);
      this.#carriedNames.add(nameKey(directory, place.minor));
      this.moved.push({ ...place, directory });
    }
    this.#paths = paths;
  }

  /** Looks at the inodes that both have. Returns whether all are where they were. */
  #compare(to: VolumeState, max: number): boolean {
    const places = new Places(this.#from, to);
    for (const inode of inodesOf(to, Number.POSITIVE_INFINITY)) {
      const { ino, nlink, mode } = inode;
      if (nlink === 0) continue;
      if (places.size >= max || (nlink > 1 && !isDirectory(mode))) return false;
      places.add(inode);
      this.first = asIno(ino + 1);
    }
    for (const inode of inodesOf(this.#from, this.first)) {
      const { ino, nlink } = inode;
      const bytes = countedBytes(inode);
      if (nlink === 0) {
        this.#goes(bytes);
        continue;
      }
      if (nlink > 1 && !isDirectory(inode.mode)) return false;
      const parent = places.parentInBoth(inode);
      if (parent === undefined) return false;
      this.#older.set(ino, { parent, isDirectory: isDirectory(inode.mode), bytes });
    }
    return true;
  }

  #goes(bytes: number): void {
    this.gone.inodes++;
    this.gone.bytes += bytes;
  }

  /** Decides what persists. Returns whether that were not too many names. */
  #decide(max: number): boolean {
    for (const [ino, inode] of this.#older) {
      if (this.#persists(ino)) {
        this.kept.push(ino);
        continue;
      }
      this.#goes(inode.bytes);
      if (!inode.isDirectory) continue;
      for (const entry of entriesOf(this.#from.tree, ino)) {
        if (entry.ino < this.first || this.#carriedNames.has(nameKey(ino, entry.minor))) continue;
        this.left.push({ ...entry, directory: ino });
        if (this.left.length > max) return false;
      }
    }
    const isNewer = ({ directory }: Name): boolean => directory >= this.first;
    this.moved.splice(0, this.moved.length, ...this.moved.filter(isNewer));
    return true;
  }

  /** Whether an inode that the snapshot has is at a path that persists. */
  #persists(ino: Ino): boolean {
    let above = ino;
    // No further than there are directories: damage may have made a circle of them.
    for (let depth = 0; depth <= this.#older.size && above !== ROOT_INO; depth++) {
      if (this.#paths.has(above)) return true;
      above = this.#older.get(above)?.parent ?? ROOT_INO;
    }
    return false;
  }
}

/**
 * Where the inodes of a snapshot are. Not every record knows the place of its name: that of a file which once had several may not, nor
 * those of stores of format 1. Which ones do may depend on when trees were swept, so it must make no difference.
 */
class Places {
  readonly #from: VolumeState;
  readonly #to: VolumeState;
  /** As far as the records know. */
  readonly #recorded = new Map<Ino, NamePlace | undefined>();
  #found: Map<Ino, NamePlace> | undefined;

  constructor(from: VolumeState, to: VolumeState) {
    this.#from = from;
    this.#to = to;
  }

  get size(): number {
    return this.#recorded.size;
  }

  add(inode: Inode): void {
    this.#recorded.set(inode.ino, recordedPlace(inode));
  }

  /** The directory in which an inode of the volume is, if it is in the same and by the same name in the snapshot. */
  parentInBoth(inode: Inode): Ino | undefined {
    const { ino } = inode;
    if (ino === ROOT_INO) return ROOT_INO;
    if (!this.#recorded.has(ino)) return undefined;
    const before = this.#recorded.get(ino) ?? this.#search().get(ino);
    if (before === undefined) return undefined;
    const { parent, minor } = before;
    const now = recordedPlace(inode);
    const isThere = now === undefined ? this.#leadsTo(before, ino) : now.parent === parent && now.minor === minor;
    return isThere ? parent : undefined;
  }

  #leadsTo({ parent, minor }: NamePlace, ino: Ino): boolean {
    const { tree } = this.#from;
    return tree.find(parent, KIND_DIRENT, minor) && readU64(tree.words, tree.valueWord) === ino;
  }

  /** The places of all entries of the snapshot. */
  #search(): ReadonlyMap<Ino, NamePlace> {
    if (this.#found !== undefined) return this.#found;
    const found = new Map<Ino, NamePlace>();
    for (const parent of this.#recorded.keys()) {
      for (const { ino, minor } of entriesOf(this.#to.tree, parent)) found.set(ino, { parent, minor });
    }
    this.#found = found;
    return found;
  }
}

const recordedPlace = ({ parent, nameMinor }: Inode): NamePlace | undefined =>
  parent === 0 || nameMinor === 0 ? undefined : { parent, minor: nameMinor };

/**
 * Whether directories that are there have quotas. Those of directories that have been removed are not looked at: how long they last
 * depends on who has something open that was in them, which the log does not tell.
 */
function hasQuotas({ tree }: VolumeState): boolean {
  const inode = new Inode();
  return allQuotas(tree).some(({ directory }) => inode.load(tree, directory) && inode.nlink > 0);
}

/** The inodes of a tree below a number, in ascending order; one object that changes. */
function* inodesOf({ tree }: VolumeState, end: number): Generator<Inode> {
  const inode = new Inode();
  for (let from = 1; tree.seek(from, KIND_INODE, 0) && tree.object < end; from = inode.ino + 1) {
    const ino = asIno(tree.object);
    if (!tree.isAt(ino, KIND_INODE)) throw new CorruptionError(`inode ${ino}`, 'missing');
    inode.read(tree, ino);
    yield inode;
  }
}

/** Inodes with nothing between them, in either tree, that the snapshot has and that persist. */
interface Run {
  readonly inodes: Ino[];
  items: number;
  bytes: number;
}

/** A plan as TransplantPlan is one (see there for what it says), for a reset in place. */
export class InPlacePlan implements CarryPlan {
  readonly #from: VolumeState;
  readonly #takeNumber: () => Ino;
  readonly #inode = new Inode();
  readonly survey: Survey;

  readonly ranges: ObjectRange[] = [];
  readonly changes = new Map<Ino, RecordChange>();
  readonly copies: ItemCopy[] = [];
  readonly entries: EntryChange[] = [];
  readonly quotas = new Map<number, CopiedQuota>();
  readonly usage: Map<number, Usage>;
  places = 0;
  bytes = 0;
  readonly #copied: Ino[] = [];

  /** `end`: no inode of the volume has this number or one above. Those of copies are. */
  constructor(from: VolumeState, to: VolumeState, survey: Survey, end: Ino, takeNumber: () => Ino) {
    this.#from = from;
    this.#takeNumber = takeNumber;
    this.survey = survey;
    const { inodes, dataBytes } = from.dataset;
    this.usage = new Map([[0, { inodes: inodes - survey.gone.inodes, bytes: dataBytes - survey.gone.bytes }]]);
    this.#keep(survey.kept, to.tree);
    this.ranges.push({ from: survey.first, to: end });
  }

  /** Of what persists long runs are shared, and the rest is copied: a page is too much for an inode or two. */
  #keep(kept: readonly Ino[], to: Tree): void {
    const { tree } = this.#from;
    let run: Run = { inodes: [], items: 0, bytes: 0 };
    for (const ino of kept) {
      const last = run.inodes.at(-1);
      if (last !== undefined && (nextAfter(tree, last) < ino || nextAfter(to, last) < ino)) {
        this.#end(run);
        run = { inodes: [], items: 0, bytes: 0 };
      }
      run.inodes.push(ino);
      for (let more = tree.seek(ino, 0, 0); more && tree.object === ino; more = tree.next()) {
        // Enough to be shared: a directory may have any number of entries.
        if (run.items >= SHARED_ITEMS_MIN) break;
        run.items++;
        run.bytes += LEAF_SLOT_BYTES + padded(tree.valueLength);
      }
    }
    this.#end(run);
  }

  #end({ inodes, items, bytes }: Run): void {
    const [from, last] = [inodes[0], inodes.at(-1)];
    if (from === undefined || last === undefined) return;
    if (items >= SHARED_ITEMS_MIN) {
      this.ranges.push({ from, to: last + 1 });
      return;
    }
    for (const ino of inodes) this.#copied.push(ino);
    this.places++;
    this.bytes += bytes;
  }

  add({ ino, type }: Place, { parent, minor }: Placement): Ino {
    if (!this.#inode.load(this.#from.tree, ino)) throw new CorruptionError(`inode ${ino}`, 'missing');
    const { nlink, mode } = this.#inode;
    if (isDirectory(mode) !== (type === TYPE_DIRECTORY)) throw new CorruptionError(`inode ${ino}`, 'of another type');
    this.changes.set(ino, { parent, minor, group: 0, nlink });
    return ino;
  }

  /** The directory itself is left behind. */
  addAlone(source: Ino, placement: Placement): ItemCopy {
    this.usage.get(0)!.inodes++;
    return { source, ino: this.#takeNumber(), change: { ...placement, group: 0, nlink: 2 } };
  }

  finish(): void {
    for (const ino of this.#copied) {
      this.copies.push({ source: ino, ino, change: this.changes.get(ino) });
      this.changes.delete(ino);
    }
  }
}

const nextAfter = (tree: Tree, ino: Ino): number => (tree.seek(ino + 1, 0, 0) ? tree.object : Number.POSITIVE_INFINITY);
