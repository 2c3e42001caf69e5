/**
 * Applies the operations on volumes and snapshots. Each takes the time of a few changes to trees, however many files there are;
 * only what is carried over in a rollback takes time by its number of files, unless that is done in place.
 */
import { CorruptionError } from '../../errors/corruption.js';
import { asPageNumber, type DatasetId, type Ino, NO_ADDRESS } from '../../store/units.js';
import { Tree } from '../../tree/tree.js';
import type { Dataset, DatasetType, PropertyValues } from '../dataset.js';
import { InPlacePlan, Survey } from '../in-place-plan.js';
import { Inode, type Timestamp } from '../inode.js';
import type {
  AdoptOperation,
  CreateSnapshotOperation,
  CreateVolumeOperation,
  DatasetOperation,
  DestroyOperation,
  KeptState,
  RollbackOperation,
} from '../operation.js';
import { loadOrphans, orphansIn, saveOrphans } from '../orphans.js';
import { insertRootDirectory } from '../root-directory.js';
import { type StoreState, VolumeState } from '../state.js';
import { Transplant } from '../transplant.js';
import { type CarryPlan, TransplantPlan } from '../transplant-plan.js';
import { Applier } from './applier.js';
import { loadInode } from './load.js';

const millisecondsOf = ({ seconds, nanoseconds }: Timestamp): number =>
  Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1e6));

export class DatasetChanges {
  readonly #state: StoreState;

  constructor(state: StoreState) {
    this.#state = state;
  }

  apply(operation: DatasetOperation): void {
    const { catalog } = this.#state;
    switch (operation.type) {
      case 'createVolume':
        this.#createVolume(operation);
        break;
      case 'createSnapshot':
        this.#createSnapshot(operation);
        break;
      case 'destroy':
        this.#destroy(operation);
        break;
      case 'renameDataset':
        catalog.rename(catalog.require(operation.id), operation.name);
        break;
      case 'setProperties':
        catalog.setProperties(catalog.require(operation.id), operation.properties);
        break;
      case 'rollback':
        if (operation.path === '') this.#rollBack(operation);
        else this.#rollBackPath(operation);
        break;
      case 'adopt':
        this.#adopt(operation);
        break;
    }
  }

  #adopt(operation: AdoptOperation): void {
    const { catalog, pages, dying } = this.#state;
    const { volume: id, from, name, snapshot, time } = operation;
    for (const passing of catalog.snapshots(from)) this.#destroy({ type: 'destroy', id: passing.id });
    const source = this.#currentState(from);
    const volume = this.#currentState(id);
    if (from !== id) {
      this.#state.onReplacing?.(id);
      const state = this.#state.volume(id);
      dying.push(volume.root);
      // The reference to the root of the one volume becomes that of the other.
      catalog.remove(source);
      this.#state.forget(from);
      volume.root = source.root;
      volume.inodes = source.inodes;
      volume.dataBytes = source.dataBytes;
      state.tree.switchTo(source.root);
      loadOrphans(state);
      this.#changeView(volume, operation);
    } else if (volume.name !== name) {
      catalog.rename(volume, name);
    }
    pages.share(volume.root);
    catalog.add(this.#dataset('snapshot', snapshot.id, id, snapshot.name, snapshot.properties, time, volume));
    volume.origin = snapshot.id;
    catalog.setProperties(volume, operation.properties);
  }

  #createVolume(operation: CreateVolumeOperation): void {
    const { catalog, pages } = this.#state;
    const { id, origin, time } = operation;
    const source = origin === undefined ? undefined : this.#sourceOf(origin);
    const dataset = this.#dataset('volume', id, id, operation.name, operation.properties, time, source);
    if (source === undefined) dataset.root = this.#emptyTree(operation);
    else pages.share(source.root);
    if (source === undefined) dataset.inodes = 1;
    dataset.origin = source?.type === 'snapshot' ? source.id : undefined;
    catalog.add(dataset);
    loadOrphans(this.#state.volumeOf(dataset));
  }

  /** A dataset to be cloned, as it is now. */
  #sourceOf(id: DatasetId): Dataset {
    const dataset = this.#state.catalog.require(id);
    return dataset.type === 'volume' ? this.#currentState(id) : dataset;
  }

  /** A new dataset with the root and counters of another. */
  #dataset(
    type: DatasetType,
    id: DatasetId,
    volume: DatasetId,
    name: string,
    properties: PropertyValues,
    time: Timestamp,
    from: Dataset | undefined,
  ): Dataset {
    this.#state.takeDataset(id);
    return {
      id,
      type,
      name,
      volume,
      createdMs: millisecondsOf(time),
      root: from?.root ?? asPageNumber(0),
      inodes: from?.inodes ?? 0,
      dataBytes: from?.dataBytes ?? 0,
      properties,
      nameAddress: NO_ADDRESS,
      propertiesAddress: NO_ADDRESS,
      view: id,
      origin: undefined,
    };
  }

  #emptyTree({ uid, gid, time }: CreateVolumeOperation): Dataset['root'] {
    const tree = Tree.create(this.#state.pages);
    insertRootDirectory(tree, uid, gid, time);
    return tree.root;
  }

  #createSnapshot(operation: CreateSnapshotOperation): void {
    const { catalog, pages } = this.#state;
    const volume = this.#currentState(operation.volume);
    pages.share(volume.root);
    const { id, name, properties, time } = operation;
    catalog.add(this.#dataset('snapshot', id, operation.volume, name, properties, time, volume));
  }

  /** The record of a volume, with its root as it is now and all orphans in its tree. */
  #currentState(id: DatasetId): Dataset {
    const state = this.#state.volume(id);
    saveOrphans(state);
    state.dataset.root = state.tree.root;
    return state.dataset;
  }

  #destroy({ id }: DestroyOperation): void {
    const { catalog, dying } = this.#state;
    const dataset = catalog.require(id);
    // The tree of a volume is ahead of its record.
    dying.push(dataset.type === 'volume' ? this.#state.volume(id).tree.root : dataset.root);
    catalog.remove(dataset);
    this.#state.forget(id);
  }

  #rollBack(operation: RollbackOperation): void {
    this.#state.onReplacing?.(operation.volume);
    const { catalog, pages } = this.#state;
    const snapshot = catalog.require(operation.snapshot);
    const volume = this.#currentState(operation.volume);
    const state = this.#state.volume(operation.volume);
    const replaced = new VolumeState(this.#state, { ...volume });
    // Shared before the old root is given up: they may be the same.
    pages.share(snapshot.root);
    this.#keepOrGiveUp(operation.keep, volume, operation.time);
    state.tree.switchTo(snapshot.root);
    volume.root = snapshot.root;
    volume.inodes = snapshot.inodes;
    volume.dataBytes = snapshot.dataBytes;
    volume.origin = snapshot.id;
    this.#changeView(volume, operation);
    loadOrphans(state);
    const applier = new Applier(state);
    // Nobody can have them open, and whether one that is long gone is still in the snapshot depends on when the log is replayed: the
    // numbers of what is carried over must not.
    for (const ino of [...state.orphans]) applier.reclaim(ino);
    const plan = this.#planOf(operation, replaced, state);
    new Transplant(replaced, state, plan, (ino) => applier.reclaim(ino)).carry(operation.carried, operation.time);
    if (plan instanceof InPlacePlan) this.#leaveBehind(plan.survey, replaced, applier, state);
    volume.root = state.tree.root;
    catalog.save(volume);
  }

  readonly #takeNumber = (): Ino => {
    const ino = this.#state.counters.nextIno;
    this.#state.takeIno(ino);
    return ino;
  };

  #planOf({ isInPlace, carried }: RollbackOperation, replaced: VolumeState, state: VolumeState): CarryPlan {
    if (!isInPlace) return new TransplantPlan(replaced, state, true, this.#takeNumber);
    const survey = Survey.of(replaced, state, carried, Number.POSITIVE_INFINITY);
    if (survey === undefined) throw new CorruptionError('the log', 'a reset in place that cannot be');
    return new InPlacePlan(replaced, state, survey, this.#state.counters.nextIno, this.#takeNumber);
  }

  /** What a reset in place has taken over with the rest loses its names, and so comes to be swept. */
  #leaveBehind(
    { moved, left, first }: Survey,
    replaced: VolumeState,
    { removedTrees }: Applier,
    state: VolumeState,
  ): void {
    for (const name of moved) removedTrees.takeNames([name], name.directory);
    for (const name of left) removedTrees.leave(name, name.directory);
    const inode = new Inode();
    for (const ino of orphansIn(replaced.tree)) {
      if (ino < first) continue;
      // A quota of a directory that is gone has not come along.
      if (loadInode(state, inode, ino).quotaGroup !== 0) {
        inode.quotaGroup = 0;
        inode.store(state.tree);
      }
      state.orphans.add(ino);
      state.removed.push(ino);
    }
  }

  #changeView(volume: Dataset, { view }: RollbackOperation | AdoptOperation): void {
    this.#state.takeDataset(view);
    volume.view = view;
  }

  /** The reference to a volume's root, which is about to be replaced, becomes that of a snapshot, or goes. */
  #keepOrGiveUp(keep: KeptState | undefined, volume: Dataset, time: Timestamp): void {
    const { catalog, dying } = this.#state;
    if (keep === undefined) dying.push(volume.root);
    else catalog.add(this.#dataset('snapshot', keep.id, volume.id, keep.name, keep.properties, time, volume));
  }

  /** The inodes that come back get new numbers: what programs have open of those that they replace is not theirs. */
  #rollBackPath(operation: RollbackOperation): void {
    const { catalog, pages } = this.#state;
    const volume = this.#currentState(operation.volume);
    const state = this.#state.volume(operation.volume);
    const snapshot = this.#state.volumeOf(catalog.require(operation.snapshot));
    if (operation.keep !== undefined) {
      pages.share(volume.root);
      this.#keepOrGiveUp(operation.keep, volume, operation.time);
    }
    const applier = new Applier(state);
    const plan = new TransplantPlan(snapshot, state, false, this.#takeNumber);
    new Transplant(snapshot, state, plan, (ino) => applier.reclaim(ino)).carry([operation.path], operation.time);
    volume.root = state.tree.root;
    catalog.save(volume);
  }
}
