/**
 * Pages that a rollback takes for what it carries over or brings back (transplant.ts).
 *
 * The plan of it is made as it will be when it is applied, but on the other tree as it is before anything in that is removed: what is
 * free there, numbers of inodes and of quota groups, is free later too, so that no less comes out than is taken.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import { Graft } from '../tree/graft.js';
import { LEAF_SLOT_BYTES, padded } from '../tree/page.js';
import { InPlacePlan, Survey } from './in-place-plan.js';
import { INODE_BYTES, Inode } from './inode.js';
import { DIRENT_BYTES, XATTR_BYTES } from './items.js';
import { itemsBelow } from './items-below.js';
import type { RollbackOperation } from './operation.js';
import { orphansIn } from './orphans.js';
import { pagesInUse, pagesTouched } from './pages-touched.js';
import { entryOf, outermost, type Place, placeAt, splitPath, TYPE_DIRECTORY } from './paths.js';
import { QUOTA_BYTES } from './quota-record.js';
import type { StoreState, VolumeState } from './state.js';
import { type CarryPlan, type Placement, TransplantPlan } from './transplant-plan.js';

/** Bytes of a leaf that are used at least when items come in any order. */
const LEAF_BYTES_MIN = 1000;
/** For a name: the entry that is there, the one that takes its place, and the record of the directory. */
const ITEMS_PER_NAME = 3;

/** Throws CorruptionError for what cannot be carried over: before it is logged. */
export function pagesForTransplants(store: StoreState, operation: RollbackOperation): number {
  const volume = store.volume(operation.volume);
  const snapshot = store.volumeOf(store.catalog.require(operation.snapshot));
  const takeNumber = numbersFrom(store.counters.nextIno);
  if (operation.path !== '') {
    return new Estimate(snapshot, volume, new TransplantPlan(snapshot, volume, false, takeNumber)).pages([
      operation.path,
    ]);
  }
  if (operation.isInPlace) return pagesInPlace(volume, snapshot, operation.carried, takeNumber);
  const estimate = new Estimate(volume, snapshot, new TransplantPlan(volume, snapshot, true, takeNumber));
  estimate.changed += itemsOfOrphans(snapshot);
  return estimate.pages(outermost(operation.carried));
}

/** For a name that goes: its entry, the record of the directory, and that of the inode. */
const ITEMS_PER_LEFT_NAME = 3;

function pagesInPlace(
  volume: VolumeState,
  snapshot: VolumeState,
  carried: readonly string[],
  takeNumber: () => Ino,
): number {
  const survey = Survey.of(volume, snapshot, carried, Number.POSITIVE_INFINITY);
  if (survey === undefined) throw new CorruptionError('the log', 'a reset in place that cannot be');
  const plan = new InPlacePlan(volume, snapshot, survey, volume.store.counters.nextIno, takeNumber);
  const estimate = new Estimate(volume, snapshot, plan);
  estimate.changed += itemsOfOrphans(snapshot) + volume.orphans.size;
  estimate.changed += (survey.moved.length + survey.left.length) * ITEMS_PER_LEFT_NAME;
  return estimate.pages(outermost(carried));
}

function numbersFrom(first: Ino): () => Ino {
  let next = first;
  return () => {
    const ino = next;
    next = asIno(ino + 1);
    return ino;
  };
}

/** Items that go with the orphans of a snapshot. */
function itemsOfOrphans(snapshot: VolumeState): number {
  const orphans = orphansIn(snapshot.tree);
  return orphans.reduce((sum, ino) => sum + itemsBelow(snapshot, ino), orphans.length);
}

class Estimate {
  readonly #from: VolumeState;
  readonly #to: VolumeState;
  readonly #plan: CarryPlan;
  /** Quota groups of the directories that are copied without what is in them. */
  readonly #alone = new Map<Ino, number>();
  readonly #inode = new Inode();
  /** Where items are inserted, and the bytes that these take in leaves. */
  #places = 0;
  #bytes = 0;
  /** Items that are changed or removed. */
  changed = 0;

  constructor(from: VolumeState, to: VolumeState, plan: CarryPlan) {
    this.#from = from;
    this.#to = to;
    this.#plan = plan;
  }

  pages(paths: readonly string[]): number {
    for (const path of paths) this.#add(path);
    const plan = this.#plan;
    plan.finish();
    this.#insert(plan.quotas.size, QUOTA_BYTES);
    this.changed += plan.quotas.size + plan.usage.size + plan.changes.size + plan.entries.length;
    const places = this.#places + plan.places;
    return (
      this.#pagesOfGraft() +
      // Leaves that were there are split, and others are filled.
      Math.min(places, pagesInUse(this.#to.store)) +
      Math.ceil((this.#bytes + plan.bytes) / LEAF_BYTES_MIN) +
      pagesTouched(this.#to.store, this.changed + places, this.#from, this.#to)
    );
  }

  #pagesOfGraft(): number {
    const { ranges } = this.#plan;
    if (ranges.length === 0) return 0;
    return new Graft(this.#to.pages, this.#to.tree.root, this.#from.tree.root, ranges).pagesTaken;
  }

  /** Counts items side by side with values of so many bytes. */
  #insert(items: number, bytes: number): void {
    this.#places++;
    this.#bytes += items * (LEAF_SLOT_BYTES + padded(bytes));
  }

  /** Follows a path as `Transplant` does. */
  #add(path: string): void {
    const wanted = placeAt(this.#from, path);
    if (wanted === undefined) return;
    const names = splitPath(path);
    let source: Ino = ROOT_INO;
    let target: Ino | undefined = ROOT_INO;
    let group = 0;
    for (const [index, name] of names.entries()) {
      const there: Place | undefined = target === undefined ? undefined : entryOf(this.#to, target, name);
      const isLast = index === names.length - 1;
      if (!isLast) source = entryOf(this.#from, source, name)!.ino;
      if (!isLast && there?.type === TYPE_DIRECTORY) {
        target = there.ino;
        group = this.#inode.load(this.#to.tree, target) ? this.#inode.quotaGroup : 0;
        continue;
      }
      target = undefined;
      this.changed += ITEMS_PER_NAME;
      this.#insert(1, DIRENT_BYTES);
      if (there !== undefined) this.changed += itemsBelow(this.#to, there.ino);
      const placement = { parent: asIno(0), minor: 0, group };
      if (isLast) this.#plan.add(wanted, placement);
      else group = this.#addAlone(source, placement);
    }
  }

  /** Returns the group of the copy. Another path may have led there. */
  #addAlone(source: Ino, placement: Placement): number {
    const known = this.#alone.get(source);
    if (known !== undefined) return known;
    const { group = 0 } = this.#plan.addAlone(source, placement).change ?? {};
    this.#alone.set(source, group);
    this.#insert(1, INODE_BYTES);
    if (this.#inode.load(this.#from.tree, source)) this.#insert(this.#inode.xattrs, XATTR_BYTES);
    return group;
  }
}
