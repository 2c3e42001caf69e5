/**
 * Receives a stream (format.ts): into a hidden volume, which becomes the state of its volume, with the snapshot, in one step at the
 * end. Until then nothing that was there is changed, whatever becomes of the stream.
 *
 * Volumes have the quotas that are set where they are; those on directories do not travel.
 */
import { setImmediate } from 'node:timers/promises';
import { StoreError } from '../errors/store-error.js';
import type { DatasetId } from '../store/units.js';
import type { Dataset, PropertyValues } from '../volume/dataset.js';
import { type Datasets, GUID, HOLDS } from '../volume/datasets.js';
import { compareStates } from '../volume/diff.js';
import { timestampOf } from '../volume/inode.js';
import { PinnedTree } from '../volume/pinned-tree.js';
import { MADE_BY } from '../volume/prune.js';
import { Quotas } from '../volume/quotas.js';
import type { Store } from '../volume/store.js';
import { DATA_HEAD_BYTES, outlineAfter, type ResumePoint, type StreamBeginning } from './format.js';
import { snapshotsWith } from './identity.js';
import {
  activeIn,
  discard,
  encodeToken,
  hiddenName,
  keepPoint,
  receivingOf,
  receivingProperties,
  type Unfinished,
  unfinishedIn,
  unfinishedOf,
} from './partial.js';
import { RecordApplier } from './record-applier.js';
import { parseBeginning } from './stream-beginning.js';
import { badStream, type IncomingRecord, readStream } from './stream-reader.js';

export interface ReceiveOptions {
  /** The volume that gets the snapshot; that of the base, or the one of the sender's name, unless told otherwise. */
  readonly volume: string | undefined;
  /** What has come stays when the stream breaks. */
  readonly isResumable: boolean;
  /** Changes that were made to the volume since the base are given up. */
  readonly force: boolean;
}

/** What a reception needs of the mounts of the store. */
export interface ReceivingMounts {
  flush(volume: DatasetId): Promise<void>;
  /** Refuses a volume whose files must not be replaced now. Throws StoreError. */
  checkReplaceable(volume: Dataset): void;
  rolledBack(volume: DatasetId, path: string): Promise<void>;
}

export interface ReceiveReport {
  /** `volume@snapshot` */
  readonly name: string;
  /** Records, those of an earlier stream included. */
  readonly records: number;
}

/** Called with the bytes of records so far. */
export type OnProgress = (bytes: number, beginning: StreamBeginning) => void;

/** A moment is kept after so many bytes of records. */
const POINT_BYTES = 64 * 1024 * 1024;
/** Records applied before other work is let in. */
const RECORDS_AT_ONCE = 128;

/** Receives a stream. Throws StoreError, and what reading `chunks` throws; then nothing has changed but what may be gone on with. */
export async function receiveStream(
  store: Store,
  datasets: Datasets,
  mounts: ReceivingMounts,
  chunks: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
  onProgress: OnProgress = () => undefined,
): Promise<ReceiveReport> {
  const records = readStream(chunks);
  const first = await records.next();
  if (first.done === true) throw badStream('it is empty');
  const reception = new Reception(store, datasets, mounts, parseBeginning(first.value), options);
  await reception.prepare();
  try {
    await reception.receive(records, onProgress);
    return await reception.finish();
  } catch (error) {
    throw await reception.breakOff(error);
  } finally {
    reception.end();
  }
}

class Reception {
  readonly #store: Store;
  readonly #datasets: Datasets;
  readonly #mounts: ReceivingMounts;
  readonly #beginning: StreamBeginning;
  readonly #options: ReceiveOptions;
  /** The volume that gets the snapshot, if it is there already. */
  #target: Dataset | undefined;
  #base: PinnedTree | undefined;
  #hidden: Dataset | undefined;
  #applier: RecordApplier | undefined;
  #point: ResumePoint = { count: 0, outline: 0 };
  /** All records up to `#point`, and nothing else, have been applied. */
  #isAtPoint = true;

  constructor(
    store: Store,
    datasets: Datasets,
    mounts: ReceivingMounts,
    beginning: StreamBeginning,
    options: ReceiveOptions,
  ) {
    this.#store = store;
    this.#datasets = datasets;
    this.#mounts = mounts;
    this.#beginning = beginning;
    this.#options = options;
  }

  // ── Before ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Finds out where the snapshot belongs, and refuses what cannot be before anything is changed. */
  async prepare(): Promise<void> {
    const { snapshot, base } = this.#beginning;
    const baseSnapshot = base === null ? undefined : this.#findBase(base);
    this.#target = baseSnapshot === undefined ? undefined : this.#store.state.catalog.require(baseSnapshot.volume);
    const name = this.#volumeName;
    const known = this.#store.state.catalog.volumeNamed(name);
    if (baseSnapshot === undefined && known !== undefined) throw volumeExists(name);
    if (this.#target !== undefined && this.#store.state.catalog.snapshotNamed(this.#target.id, snapshot.name)) {
      throw new StoreError('exists', `There is a snapshot "${name}@${snapshot.name}" already.`, 'Rename one of them.');
    }
    if (baseSnapshot !== undefined) this.#base = new PinnedTree(this.#store, baseSnapshot);
    try {
      await this.#replacing(() => undefined);
      await this.#discardLeftovers();
      await this.#openHidden(baseSnapshot);
    } catch (error) {
      this.end();
      throw error;
    }
  }

  get #volumeName(): string {
    return this.#target?.name ?? this.#options.volume ?? this.#beginning.volume;
  }

  #findBase(base: NonNullable<StreamBeginning['base']>): Dataset {
    const { volume } = this.#options;
    const { catalog } = this.#store.state;
    const found = snapshotsWith(this.#store, base.guid).filter(
      (snapshot) => volume === undefined || catalog.require(snapshot.volume).name === volume,
    );
    if (found.length === 1) return found[0]!;
    if (found.length > 1) {
      const names = found.map((snapshot) => this.#datasets.nameOf(snapshot)).join(', ');
      throw new StoreError(
        'wrong-base',
        `The stream builds on a snapshot that is there several times: ${names}.`,
        'Name the volume: --volume NAME',
      );
    }
    throw new StoreError(
      'wrong-base',
      `The stream builds on the snapshot "${base.name}", which ${volume === undefined ? 'the store' : `the volume "${volume}"`} does not have.`,
      'Send that one first, or the whole snapshot, without --from.',
    );
  }

  /** Calls `action` at a moment when the volume may be replaced: nothing of it has changed since the base, unless that is to be given up. */
  async #replacing<Result>(action: () => Result): Promise<Result> {
    const [target, base] = [this.#target, this.#base];
    if (target === undefined || base === undefined) return action();
    this.#mounts.checkReplaceable(target);
    for (;;) {
      await this.#store.swept();
      if (this.#options.force) return action();
      await this.#mounts.flush(target.id);
      const now = new PinnedTree(this.#store, target);
      try {
        const first = await compareStates(base, now).next();
        if (first.done !== true) throw hasChanged(target, base.dataset, first.value.path);
        this.#mounts.checkReplaceable(target);
        // What programs have changed while it was compared is compared, too.
        if (this.#store.state.volumeOf(target).tree.root === now.root) return action();
      } finally {
        now.release();
      }
    }
  }

  /** What other receptions have left that cannot be gone on with. */
  async #discardLeftovers(): Promise<void> {
    const busy = activeIn(this.#store);
    for (const { volume, receiving } of unfinishedIn(this.#datasets)) {
      if (!receiving.isResumable && !busy.has(volume.id)) await discard(this.#datasets, volume);
    }
  }

  async #openHidden(base: Dataset | undefined): Promise<void> {
    const unfinished = unfinishedOf(this.#datasets, this.#beginning);
    if (unfinished !== undefined && activeIn(this.#store).has(unfinished.volume.id)) {
      throw new StoreError('in-use', `The snapshot "${this.#beginning.snapshot.name}" is being received already.`);
    }
    const { resume } = this.#beginning;
    this.#hidden = resume === null ? await this.#makeHidden(base, unfinished) : await this.#reopen(unfinished, resume);
    activeIn(this.#store).add(this.#hidden.id);
    const volume = this.#store.volume(this.#hidden.name);
    const receiving = receivingOf(this.#hidden);
    if (volume === undefined || receiving === undefined) throw new Error('a volume has gone while it was made');
    this.#applier = new RecordApplier(volume, this.#base?.volume, receiving.stagingName);
  }

  async #makeHidden(base: Dataset | undefined, unfinished: Unfinished | undefined): Promise<Dataset> {
    // The same from its beginning: what is left of an earlier attempt is in the way.
    if (unfinished !== undefined) await discard(this.#datasets, unfinished.volume);
    const { snapshot, base: identity } = this.#beginning;
    const properties = receivingProperties({
      snapshot: { name: snapshot.name, guid: snapshot.guid },
      base: identity,
      volume: this.#volumeName,
      stagingName: RecordApplier.newStagingName(),
      isResumable: this.#options.isResumable,
    });
    const hidden = await this.#datasets.createVolume(hiddenName(), base, { uid: 0, gid: 0 }, properties);
    const quotas = new Quotas(this.#store);
    for (const { path } of quotas.list(hidden)) await quotas.remove(hidden, path);
    return hidden;
  }

  async #reopen(unfinished: Unfinished | undefined, resume: ResumePoint): Promise<Dataset> {
    const point = unfinished?.point;
    if (unfinished === undefined || point?.count !== resume.count || point.outline !== resume.outline) {
      throw badStream('it goes on where no reception has broken off');
    }
    const { volume } = unfinished;
    const moment = this.#datasets.snapshots(volume.name).at(-1);
    if (moment !== undefined) await this.#datasets.rollBack(volume.name, moment, { keepAs: undefined });
    return volume;
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async receive(records: AsyncIterable<IncomingRecord>, onProgress: OnProgress): Promise<void> {
    let isRecalling = this.#beginning.resume !== null;
    let [total, sincePoint, sinceRest] = [0, 0, 0];
    for await (const record of records) {
      total += record.payload.length;
      if (record.type === 'resume') {
        if (!isRecalling) throw badStream('its records are out of order');
        isRecalling = false;
        this.#point = this.#beginning.resume ?? this.#point;
        continue;
      }
      this.#apply(record, isRecalling);
      sincePoint += isRecalling ? 0 : record.payload.length;
      if (sincePoint >= POINT_BYTES && this.#options.isResumable) {
        await this.#keepPoint();
        sincePoint = 0;
      }
      if (++sinceRest < RECORDS_AT_ONCE) continue;
      sinceRest = 0;
      onProgress(total, this.#beginning);
      await setImmediate();
    }
    if (isRecalling) throw badStream('it does not say where it goes on');
  }

  #apply(record: IncomingRecord, isRecalling: boolean): void {
    if (isRecalling) {
      this.#applier?.apply(record, 'recall');
      return;
    }
    this.#isAtPoint = false;
    this.#applier?.apply(record, 'apply');
    const head = record.type === 'data' ? record.payload.subarray(0, DATA_HEAD_BYTES) : record.payload;
    const { count, outline } = this.#point;
    this.#point = { count: count + 1, outline: outlineAfter(outline, record.type, head) };
    this.#isAtPoint = true;
  }

  async #keepPoint(): Promise<void> {
    if (this.#hidden !== undefined && this.#point.count > 0) await keepPoint(this.#datasets, this.#hidden, this.#point);
  }

  // ── After ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes what was received visible. */
  async finish(): Promise<ReceiveReport> {
    const hidden = this.#hidden;
    if (hidden === undefined) throw new Error('nothing was prepared');
    const { name, guid, createdMs, properties } = this.#beginning.snapshot;
    const target = this.#target;
    const adopting = this.#replacing(() =>
      this.#datasets.adopt(
        hidden,
        target,
        { name: this.#volumeName, properties: target?.properties ?? {} },
        { name, properties: { ...propertiesHere(properties), [GUID]: guid }, time: timestampOf(createdMs) },
      ),
    );
    try {
      const snapshot = await adopting;
      return { name: this.#datasets.nameOf(snapshot), records: this.#point.count };
    } finally {
      // It may have come as far as that, and not be durable.
      if (target !== undefined) await this.#mounts.rolledBack(target.id, '');
    }
  }

  /** The stream has failed: nothing stays but what can be gone on with. Returns what to tell. */
  async breakOff(error: unknown): Promise<unknown> {
    const hidden = this.#hidden;
    if (hidden === undefined || !this.#store.isWritable) return error;
    // It may have become what it was to be, and only telling so has failed.
    if (this.#store.state.catalog.get(hidden.id) === undefined || receivingOf(hidden) === undefined) return error;
    if (!receivingOf(hidden)?.isResumable) {
      await discard(this.#datasets, hidden);
      return error;
    }
    if (this.#isAtPoint) await this.#keepPoint();
    return error instanceof StoreError ? this.#withToken(error, hidden) : error;
  }

  #withToken(error: StoreError, hidden: Dataset): StoreError {
    const token = tokenOf(unfinishedIn(this.#datasets).find(({ volume }) => volume.id === hidden.id));
    if (token === undefined) return error;
    return new StoreError(
      error.code,
      error.message,
      `What has come is kept. Go on with: razorfs send --resume ${token}`,
    );
  }

  end(): void {
    this.#base?.release();
    if (this.#hidden !== undefined) activeIn(this.#store).delete(this.#hidden.id);
  }
}

/** Whoever receives a snapshot wants it: it is not one to be pruned by itself, and whether it is held is decided here. */
const propertiesHere = (sent: PropertyValues): PropertyValues =>
  Object.fromEntries(Object.entries(sent).filter(([key]) => key !== MADE_BY && key !== HOLDS));

/** What `razorfs send --resume` takes to go on; undefined where it would have to begin anew. */
export function tokenOf(unfinished: Unfinished | undefined): string | undefined {
  if (unfinished?.point === undefined) return undefined;
  const { snapshot, base } = unfinished.receiving;
  return encodeToken({ snapshot, base, ...unfinished.point });
}

const hasChanged = (volume: Dataset, base: Dataset, path: Uint8Array): StoreError =>
  new StoreError(
    'changed',
    `The volume "${volume.name}" has changed since its snapshot "${base.name}": "${Buffer.from(path).toString()}", to begin with.`,
    `See what has: razorfs diff STORE ${volume.name}@${base.name}\nGive these changes up: razorfs receive --force`,
  );

const volumeExists = (name: string): StoreError =>
  new StoreError(
    'exists',
    `There is a volume "${name}" already, and a whole snapshot makes a new one.`,
    'Receive it as another volume: --volume NAME',
  );
