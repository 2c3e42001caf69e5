/**
 * Managing the volumes and snapshots of an open store: what the commands ask for, checked, then made durable before it is reported.
 *
 * A dataset is named `volume` or `volume@snapshot`. Holds and all settings are properties (properties.ts).
 */
import { StoreError } from '../errors/store-error.js';
import type { DatasetId } from '../store/units.js';
import {
  DATASET_NAME_BYTES_MAX,
  type Dataset,
  type DatasetType,
  gone,
  isDatasetName,
  MAIN_NAME,
  type PropertyValues,
} from './dataset.js';
import { Survey } from './in-place-plan.js';
import type { Timestamp } from './inode.js';
import { hasMoreBelow } from './items-below.js';
import { freeName, type NewName } from './new-name.js';
import type { DatasetOperation, KeptState } from './operation.js';
import { type PropertyName, type PropertyReport, propertyOf } from './properties.js';
import type { Store } from './store.js';

/** Bytes of a dataset's properties as JSON. */
export const PROPERTIES_BYTES_MAX = 32 * 1024;
/** Inodes that a reset copies, in some 10 ms; with more, what goes is looked at instead, afterwards. */
const COPIED_MAX = 4096;
/** Inodes and names that a reset in place may have to look at. */
const SURVEYED_MAX = 16_384;
/** The property with the reasons why a snapshot must stay. */
export const HOLDS = 'holds';
/** The property in which a received snapshot keeps the identity that it came with (transfer/identity.ts). */
export const GUID = 'guid';

export interface RollbackOptions {
  /** The name of the snapshot that keeps the replaced state; undefined to give that state up. */
  readonly keepAs: NewName | undefined;
  readonly keepProperties?: PropertyValues;
  /** Paths within the volume that stay as they are. */
  readonly carried?: readonly string[];
  /** Rolls back only what is at this path; empty for the whole volume. */
  readonly path?: string;
  /** More inodes than this are not copied, if they can stay where they are (in-place-plan.ts). */
  readonly copiedMax?: number | undefined;
}

export interface AdoptedVolume {
  readonly name: string;
  readonly properties: PropertyValues;
}

export interface AdoptedSnapshot {
  readonly name: string;
  readonly properties: PropertyValues;
  readonly time: Timestamp;
}

export class Datasets {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get volumes(): readonly Dataset[] {
    return this.#store.state.catalog.volumes;
  }

  /** The snapshots of a volume, the oldest first. */
  snapshots(volume: string): readonly Dataset[] {
    return this.#store.state.catalog.snapshots(this.volume(volume).id);
  }

  /** Throws StoreError when there is no such volume. */
  volume(name: string): Dataset {
    const dataset = this.#store.state.catalog.volumeNamed(name);
    if (dataset !== undefined) return dataset;
    const known = this.volumes.map((volume) => volume.name).join(', ');
    throw new StoreError('no-such-volume', `There is no volume "${name}" in the store.`, `There are: ${known}.`);
  }

  /** Throws StoreError when there is no such snapshot. */
  snapshot(volume: string, name: string): Dataset {
    const dataset = this.#store.state.catalog.snapshotNamed(this.volume(volume).id, name);
    if (dataset !== undefined) return dataset;
    throw new StoreError(
      'no-such-snapshot',
      `There is no snapshot "${name}" of the volume "${volume}".`,
      'See those that there are with: razorfs snapshot list',
    );
  }

  /** A volume by its name, or a snapshot by `volume@snapshot`. */
  named(name: string): Dataset {
    const at = name.indexOf('@');
    return at < 0 ? this.volume(name) : this.snapshot(name.slice(0, at), name.slice(at + 1));
  }

  /** A property of a volume as it counts, its own or inherited. */
  property(volume: Dataset, name: PropertyName): PropertyReport {
    return propertyOf(this.#store.state.catalog, volume, name);
  }

  isMounted(dataset: Dataset): boolean {
    return this.#store.state.mountPointsOf(dataset.id).length > 0;
  }

  // ── Making ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a volume: empty, its root directory belonging to `owner`, or a clone of a snapshot or of another volume as it is. */
  async createVolume(
    newName: NewName,
    origin: Dataset | undefined,
    owner: { readonly uid: number; readonly gid: number },
    properties: PropertyValues = {},
  ): Promise<Dataset> {
    checkProperties(properties);
    if (this.#store.sweeper.isNeeded) await this.#store.swept();
    const name = this.#newVolume(newName);
    if (origin !== undefined) this.#checkIsThere(origin);
    const id = this.#nextId();
    const time = this.#store.now();
    await this.#perform({ type: 'createVolume', id, name, origin: origin?.id, ...owner, properties, time });
    this.#store.sweeper.reclaimAll(this.#store.state.volume(id));
    return this.#require(id);
  }

  /** Takes a snapshot of a volume, as it is at this moment. */
  async createSnapshot(volume: string, newName: NewName, properties: PropertyValues = {}): Promise<Dataset> {
    checkProperties(properties);
    if (this.#store.sweeper.isNeeded) await this.#store.swept();
    const { id: of } = this.volume(volume);
    const name = this.#newSnapshot(of, newName);
    const id = this.#nextId();
    await this.#perform({ type: 'createSnapshot', id, volume: of, name, properties, time: this.#store.now() });
    return this.#require(id);
  }

  /** A name that no volume has, to be used at once. */
  #newVolume(name: NewName): string {
    return this.#new('volume', name, (taken) => this.#store.state.catalog.volumeNamed(taken) !== undefined);
  }

  /** The same of the snapshots of a volume. */
  #newSnapshot(volume: DatasetId, name: NewName): string {
    return this.#new('snapshot', name, (taken) => this.#store.state.catalog.snapshotNamed(volume, taken) !== undefined);
  }

  #new(what: DatasetType, name: NewName, isTaken: (name: string) => boolean): string {
    if (typeof name !== 'string') return freeName(name.prefix, this.#store.nowMs(), isTaken);
    checkName(what, name);
    if (isTaken(name)) throw exists(what, name);
    return name;
  }

  /** Refuses a dataset that has been destroyed since somebody looked it up: what is logged about it could not be replayed. */
  #checkIsThere(dataset: Dataset): void {
    if (this.#store.state.catalog.get(dataset.id) === undefined) throw gone(dataset);
  }

  #nextId(): DatasetId {
    return this.#store.state.counters.nextDataset;
  }

  #require(id: DatasetId): Dataset {
    return this.#store.state.catalog.require(id);
  }

  /** Resolves once the operation is durable. */
  async #perform(operation: DatasetOperation): Promise<void> {
    const about = 'volume' in operation ? operation.volume : operation.id;
    this.#store.perform(about, operation, 0);
    await this.#store.commit('all');
  }

  // ── Changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Destroys snapshots, and volumes after their last snapshots: all of these, or, when one is refused, none. They must not be mounted.
   * Nobody can come in between, to hold or mount one. Their space is given back in the background.
   */
  async destroy(...datasets: readonly Dataset[]): Promise<void> {
    for (const dataset of datasets) {
      this.#checkIsThere(dataset);
      if (dataset.type === 'volume') this.#checkDestroyable(dataset, datasets);
      else this.#checkUnused(dataset);
    }
    for (const { id } of datasets) this.#store.perform(id, { type: 'destroy', id }, 0);
    if (datasets.length > 0) await this.#store.commit('all');
  }

  #checkNotMounted(dataset: Dataset): void {
    const [mountPoint] = this.#store.state.mountPointsOf(dataset.id);
    if (mountPoint === undefined) return;
    throw new StoreError(
      'in-use',
      `The ${dataset.type} "${this.nameOf(dataset)}" is mounted at ${mountPoint}.`,
      `Unmount it first: razorfs umount ${mountPoint}`,
    );
  }

  /** Refuses a snapshot that must not be destroyed. */
  #checkUnused(snapshot: Dataset): void {
    this.#checkNotMounted(snapshot);
    const holds = holdsOf(snapshot);
    if (holds.length === 0) return;
    throw new StoreError(
      'held',
      `"${this.nameOf(snapshot)}" is held (${holds.join(', ')}).`,
      'Release it first: razorfs snapshot release',
    );
  }

  /** Refuses a volume that cannot be destroyed once these have been. */
  #checkDestroyable(volume: Dataset, destroyed: readonly Dataset[]): void {
    const { id, name } = volume;
    if (name === MAIN_NAME) {
      throw new StoreError('in-use', `The volume "${MAIN_NAME}" is part of every store.`, 'Destroy the store instead.');
    }
    this.#checkNotMounted(volume);
    const left = this.#store.state.catalog.snapshots(id).filter((snapshot) => !destroyed.includes(snapshot));
    if (left.length > 0) {
      throw new StoreError('in-use', `The volume "${name}" has snapshots: ${left.length}.`, 'Destroy them first.');
    }
  }

  async rename(dataset: Dataset, name: string): Promise<void> {
    this.#checkIsThere(dataset);
    if (dataset.name === MAIN_NAME && dataset.type === 'volume') {
      throw new StoreError(
        'in-use',
        `The volume "${MAIN_NAME}" keeps its name.`,
        'Make another volume from a snapshot of it.',
      );
    }
    if (dataset.type === 'snapshot') this.#newSnapshot(dataset.volume, name);
    else this.#newVolume(name);
    await this.#perform({ type: 'renameDataset', id: dataset.id, name });
  }

  /** Sets properties; those that are undefined go. */
  async setProperties(dataset: Dataset, changes: Readonly<Record<string, unknown>>): Promise<void> {
    this.#checkIsThere(dataset);
    const merged = Object.entries({ ...dataset.properties, ...changes }).filter(([, value]) => value !== undefined);
    const properties = Object.fromEntries(merged);
    checkProperties(properties);
    this.#checkIsThere(dataset);
    await this.#perform({ type: 'setProperties', id: dataset.id, properties });
  }

  /** A held snapshot is not destroyed, and not pruned. */
  async hold(snapshot: Dataset, tag: string): Promise<void> {
    const holds = holdsOf(snapshot);
    if (!holds.includes(tag)) await this.setProperties(snapshot, { [HOLDS]: [...holds, tag] });
  }

  async release(snapshot: Dataset, tag: string): Promise<void> {
    const left = holdsOf(snapshot).filter((other) => other !== tag);
    await this.setProperties(snapshot, { [HOLDS]: left.length === 0 ? undefined : left });
  }

  /**
   * Puts a volume, or what is at one path of it, into the state of one of its snapshots. Programs that have files of the replaced
   * state open get ESTALE; whoever serves a mount of the volume tells the kernel afterwards. `wanted`: a function is called at the moment
   * of the rollback, after all waiting, and may refuse it. Returns the snapshot that keeps the replaced state.
   */
  async rollBack(
    volume: string,
    snapshot: Dataset,
    wanted: RollbackOptions | (() => RollbackOptions),
  ): Promise<Dataset | undefined> {
    if (this.#store.sweeper.isNeeded) await this.#store.swept();
    const { id } = this.volume(volume);
    this.#checkIsThere(snapshot);
    const options = typeof wanted === 'function' ? wanted() : wanted;
    const { keepAs, keepProperties = {}, carried = [], path = '', copiedMax = COPIED_MAX } = options;
    const view = this.#nextId();
    const keep: KeptState | undefined =
      keepAs === undefined
        ? undefined
        : { id: (view + 1) as DatasetId, name: this.#newSnapshot(id, keepAs), properties: keepProperties };
    const isInPlace = carried.length > 0 && this.#fitsInPlace(id, snapshot, carried, copiedMax);
    const time = this.#store.now();
    const rollback = { volume: id, snapshot: snapshot.id, view, keep, carried, isInPlace, path, time };
    this.#store.perform(id, { type: 'rollback', ...rollback }, 0);
    const kept = keep === undefined ? undefined : this.#require(keep.id);
    await this.#store.commit('all');
    return kept;
  }

  /** Whether so much is carried over that it is better left where it is, and whether it can be. */
  #fitsInPlace(volume: DatasetId, snapshot: Dataset, carried: readonly string[], max: number): boolean {
    const { state } = this.#store;
    const [from, to] = [state.volume(volume), state.volumeOf(snapshot)];
    return hasMoreBelow(from, carried, max) && Survey.of(from, to, carried, SURVEYED_MAX) !== undefined;
  }

  /**
   * Makes what was received into the volume `from` the state of a volume, and a snapshot of it. `into`: the volume, whose state is given
   * up for it; undefined to make `from` itself a volume of that name. Programs that have files of the volume open get ESTALE.
   */
  async adopt(
    from: Dataset,
    into: Dataset | undefined,
    volume: AdoptedVolume,
    snapshot: AdoptedSnapshot,
  ): Promise<Dataset> {
    const { id } = into ?? from;
    for (const dataset of [from, into ?? from]) this.#checkIsThere(dataset);
    if (into === undefined) this.#newVolume(volume.name);
    checkProperties(snapshot.properties);
    this.#newSnapshot(id, snapshot.name);
    const view = this.#nextId();
    const { name, properties } = volume;
    const { time, ...taken } = snapshot;
    const kept = { id: (view + 1) as DatasetId, ...taken };
    await this.#perform({ type: 'adopt', volume: id, from: from.id, name, view, properties, snapshot: kept, time });
    return this.#require(kept.id);
  }

  /** `volume`, or `volume@snapshot`. */
  nameOf(dataset: Dataset): string {
    return dataset.type === 'volume' ? dataset.name : `${this.#require(dataset.volume).name}@${dataset.name}`;
  }
}

/** The reasons why a snapshot must stay, each a word of its user's choice. */
export function holdsOf(dataset: Dataset): readonly string[] {
  const holds = dataset.properties[HOLDS];
  return Array.isArray(holds) ? holds.filter((tag) => typeof tag === 'string') : [];
}

export const isReceived = ({ properties }: Dataset): boolean => typeof properties[GUID] === 'string';

function checkName(what: DatasetType, name: string): void {
  if (isDatasetName(name)) return;
  throw new StoreError(
    'bad-name',
    `"${name}" cannot be the name of a ${what}.`,
    `Use up to ${DATASET_NAME_BYTES_MAX} letters, digits and the characters _ . : + -, beginning with a letter, a digit or _.`,
  );
}

const exists = (what: DatasetType, name: string): StoreError =>
  new StoreError('exists', `There is a ${what} "${name}" already.`, 'Choose another name, or destroy that one first.');

function checkProperties(properties: PropertyValues): void {
  const bytes = Buffer.byteLength(JSON.stringify(properties));
  if (bytes > PROPERTIES_BYTES_MAX) {
    throw new StoreError('bad-property', `The properties take ${bytes} bytes; ${PROPERTIES_BYTES_MAX} is the most.`);
  }
}
