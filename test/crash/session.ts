/**
 * One life of a volume on a simulated disk: runs steps on it and on the model, and knows at every moment what was promised.
 *
 * States are numbered by the steps before them: `states[i]` is what the first i steps lead to, from the state in which the volume
 * was opened, which is durable. A step is issued, then it returns; a sync that resolves makes a number of steps durable.
 */
import { Errno } from '../../src/errors/errno.js';
import { StoreError } from '../../src/errors/store-error.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, RENAME_EXCHANGE } from '../../src/filesystem/operations.js';
import { asIno, type Ino, MAIN_VOLUME, ROOT_INO } from '../../src/store/units.js';
import { MAIN_NAME } from '../../src/volume/dataset.js';
import { Datasets } from '../../src/volume/datasets.js';
import type { Durability } from '../../src/volume/options.js';
import { Store } from '../../src/volume/store.js';
import type { Volume } from '../../src/volume/volume.js';
import { snapshotProblem } from './checker.js';
import { applyStep, type Outcome, payload, SKIPPED, type Step, XATTR_NAME } from './model.js';
import { Refusal, type State } from './model-state.js';
import { type DatedChange, type Past, type Promises, Violation } from './promises.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { EPOCH_SECONDS, settle, volumeOptions } from './small-store.js';
import { readStore } from './volume-state.js';

const PUNCH_HOLE = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };

const timesOf = ({ inodes, clones }: State): number[] =>
  [inodes, ...[...clones.values()].map((clone) => clone.inodes)].flatMap((of) =>
    [...of.values()].map(({ ctime }) => ctime),
  );

type RollbackStep = Extract<Step, { readonly op: 'rollback' | 'reset' | 'restore' }>;

export interface SessionOptions {
  readonly bootId: string;
  readonly durability?: Durability;
  readonly pick?: (count: number) => number;
  /** Syncs are done at once where that is possible, as for a client that is alone. */
  readonly isLone?: boolean;
}

export class Session implements Past {
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  /** Where steps go: the filesystem of the volume, or of a clone. */
  #target: FileSystem;
  readonly states: State[];
  readonly changes = new Map<number, DatedChange[]>();
  readonly #pick: (count: number) => number;
  readonly #isLone: boolean;
  readonly #isSync: boolean;
  readonly #clock: { seconds: number };
  readonly #startSeconds: number;
  #returned = 0;
  /** Transports answer when a change has been logged. */
  readonly #caller = { ...CALLER, logged: (): void => this.#answer() };
  #durable = 0;
  #dataDurable = 0;
  #fileDurable = new Map<number, number>();

  /** Opens the store on a disk: recovers it if need be. Throws what opening throws. */
  static async open(disk: SimulatedDisk, options: SessionOptions): Promise<Session> {
    const clock = { seconds: EPOCH_SECONDS };
    const now = (): number => clock.seconds * 1000;
    const opened = Store.open(disk, volumeOptions(options.bootId, now, options.durability));
    const store = await settle(disk, opened, options.pick);
    const volume = store.main;
    const filesystem = new FileSystem(volume, { atime: 'noatime' });
    return new Session(disk, store, volume, filesystem, clock, await readStore(store), options);
  }

  private constructor(
    disk: SimulatedDisk,
    store: Store,
    volume: Volume,
    filesystem: FileSystem,
    clock: { seconds: number },
    base: State,
    options: SessionOptions,
  ) {
    this.disk = disk;
    this.store = store;
    this.volume = volume;
    this.filesystem = filesystem;
    this.#target = filesystem;
    this.states = [base];
    this.#clock = clock;
    this.#pick = options.pick ?? (() => 0);
    this.#isLone = options.isLone ?? false;
    this.#isSync = options.durability === 'sync';
    this.#startSeconds = Math.max(EPOCH_SECONDS, ...timesOf(base)) + 1;
  }

  get present(): State {
    return this.states.at(-1)!;
  }

  /** A copy of what is promised at this moment. */
  promises(): Promises {
    return {
      returned: this.#returned,
      issued: this.states.length - 1,
      durable: this.#durable,
      dataDurable: this.#dataDurable,
      fileDurable: new Map(this.#fileDurable),
    };
  }

  // ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs one step. A refusal that the model does not foresee, or the other way round, is a Violation. */
  async run(step: Step): Promise<void> {
    const index = this.states.length;
    const seconds = this.#startSeconds + index;
    let outcome: Outcome | undefined;
    let refusal = '';
    try {
      outcome = applyStep(this.present, step, index, this.volume.nextIno, seconds);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.message === SKIPPED) return;
      refusal = error.message;
    }
    this.states.push(outcome?.state ?? this.present);
    for (const [ino, changes] of outcome?.data ?? []) {
      const known = this.changes.get(ino) ?? [];
      this.changes.set(ino, [...known, ...changes.map((change) => ({ index, change }))]);
    }
    this.#clock.seconds = seconds;
    try {
      await this.#perform(step, index);
      if (refusal !== '') throw new Violation(`${step.op} should be refused with ${refusal}`);
    } catch (error) {
      // Which of two refusals comes first depends on the order of the lookups, which is the transport's.
      const isRefusal = error instanceof Errno || error instanceof StoreError;
      if (!isRefusal || refusal === '') throw error;
    }
    this.#returned = index;
    const commit = this.filesystem.pendingCommit(this.#isLone);
    if (commit !== undefined) await this.#whenDurable(commit, index, 'all');
    else if (this.#isSync) this.#noteDurable(index, 'all');
  }

  #answer(): void {
    if (!this.#isSync) this.#returned = this.states.length - 1;
  }

  #ino(path: string): Ino {
    const attributes = new Attributes();
    attributes.ino = ROOT_INO;
    for (const name of path === '' ? [] : path.split('/')) {
      this.#target.lookup(attributes.ino, Buffer.from(name), attributes);
    }
    return attributes.ino;
  }

  #place(path: string): { parent: Ino; name: Buffer } {
    const slash = path.lastIndexOf('/');
    return { parent: this.#ino(path.slice(0, Math.max(0, slash))), name: Buffer.from(path.slice(slash + 1)) };
  }

  async #perform(step: Step, index: number): Promise<void> {
    const { volume } = this;
    const filesystem = this.#target;
    const out = new Attributes();
    switch (step.op) {
      case 'create': {
        const { parent, name } = this.#place(step.path);
        filesystem.makeNode(parent, name, 0o100644, 0, this.#caller, out);
        return;
      }
      case 'mkdir': {
        const { parent, name } = this.#place(step.path);
        filesystem.makeDirectory(parent, name, 0o755, this.#caller, out);
        return;
      }
      case 'symlink': {
        const { parent, name } = this.#place(step.path);
        filesystem.makeSymlink(parent, name, Buffer.from(`to ${step.path}`), this.#caller, out);
        return;
      }
      case 'unlink': {
        const { parent, name } = this.#place(step.path);
        filesystem.unlink(parent, name, this.#caller);
        return;
      }
      case 'rmdir': {
        const { parent, name } = this.#place(step.path);
        filesystem.removeDirectory(parent, name, this.#caller);
        return;
      }
      case 'link': {
        const { parent, name } = this.#place(step.to);
        filesystem.link(this.#ino(step.path), parent, name, this.#caller, out);
        return;
      }
      case 'rename':
      case 'exchange': {
        const from = this.#place(step.path);
        const to = this.#place(step.to);
        const flags = step.op === 'exchange' ? RENAME_EXCHANGE : 0;
        filesystem.rename(from.parent, from.name, to.parent, to.name, flags, this.#caller);
        return;
      }
      case 'write':
      case 'writeBack': {
        const { op, at, length } = step;
        const ino = this.#ino(step.path);
        filesystem.write(ino, at, length, payload(ino, index, length), 0, false, this.#caller, op === 'writeBack');
        return;
      }
      case 'punch':
        filesystem.allocate(this.#ino(step.path), PUNCH_HOLE, step.at, step.length, this.#caller);
        return;
      case 'allocate':
        filesystem.allocate(this.#ino(step.path), 0, step.at, step.length, this.#caller);
        return;
      case 'truncate':
        filesystem.setAttributes(this.#ino(step.path), { size: step.size }, this.#caller, out);
        return;
      case 'setxattr': {
        const ino = this.#ino(step.path);
        const value = payload(ino, index, step.length);
        filesystem.setExtendedAttribute(ino, Buffer.from(XATTR_NAME), value, 0, false, this.#caller);
        return;
      }
      case 'removexattr':
        filesystem.removeExtendedAttribute(this.#ino(step.path), Buffer.from(XATTR_NAME), this.#caller);
        return;
      case 'chmod':
        filesystem.setAttributes(this.#ino(step.path), { mode: index % 0o777 }, this.#caller, out);
        return;
      case 'fsync': {
        const ino = this.#ino(step.path);
        if (this.#isLone && filesystem.syncAtOnce(ino)) this.#noteDurable(index, ino);
        else await this.#whenDurable(filesystem.sync(ino), index, ino);
        return;
      }
      case 'startFsync': {
        const ino = this.#ino(step.path);
        this.#noteWhenDurable(filesystem.sync(ino), index, ino);
        return;
      }
      case 'commit':
        await this.#whenDurable(volume.commit('all'), index, 'all');
        return;
      case 'startCommit':
        this.#noteWhenDurable(volume.commit('all'), index, 'all');
        return;
      case 'checkpoint':
        await settle(this.disk, this.store.checkpoint(), this.#pick);
        return;
      case 'startCheckpoint':
        void this.store.checkpoint();
        return;
      case 'forget':
        for (const ino of [...volume.state.orphans]) filesystem.forget(asIno(ino));
        return;
      case 'snapshot':
        await this.#whenDurable(this.#snapshot(step.name), index, 'all');
        return;
      case 'startSnapshot':
        if (this.store.state.catalog.snapshotNamed(MAIN_VOLUME, step.name) !== undefined) {
          throw new StoreError('exists', step.name);
        }
        this.#noteWhenDurable(this.#snapshot(step.name), index, 'all');
        return;
      case 'destroy': {
        const snapshot = this.#datasets.snapshot(MAIN_NAME, step.name);
        await this.#whenDurable(this.#datasets.destroy(snapshot), index, 'all');
        return;
      }
      case 'rollback':
      case 'reset':
      case 'restore':
        await this.#rollBack(step, index);
        return;
      case 'clone': {
        const snapshot = this.#datasets.snapshot(MAIN_NAME, step.name);
        const made = this.#datasets.createVolume(step.volume, snapshot, { uid: 0, gid: 0 });
        await this.#whenDurable(
          made.then(() => undefined),
          index,
          'all',
        );
        return;
      }
      case 'destroyClone':
        await this.#whenDurable(this.#datasets.destroy(this.#datasets.volume(step.volume)), index, 'all');
        return;
      case 'within':
        await this.#within(step.volume, () => this.#perform(step.step, index));
        return;
      case 'reap':
        while (this.store.hasDying) await new Promise((resolve) => setImmediate(resolve));
        return;
      case 'complete':
        if (this.disk.pendingSyncs > 0) this.disk.completeSync(step.index % this.disk.pendingSyncs);
        await new Promise((resolve) => setImmediate(resolve));
        return;
      case 'remount':
      case 'kill':
      case 'power':
        throw new Error(`a session ends with ${step.op}`);
    }
  }

  async #within(name: string, work: () => Promise<void>): Promise<void> {
    this.#datasets.volume(name);
    const clone = this.store.volume(name);
    if (clone !== undefined) this.#target = new FileSystem(clone, { atime: 'noatime' });
    try {
      await work();
    } finally {
      this.#target = this.filesystem;
    }
  }

  get #datasets(): Datasets {
    return new Datasets(this.store);
  }

  async #snapshot(name: string): Promise<void> {
    await this.#datasets.createSnapshot(MAIN_NAME, name);
  }

  async #rollBack(step: RollbackStep, index: number): Promise<void> {
    const snapshot = this.#datasets.snapshot(MAIN_NAME, step.name);
    const rolledBack = this.#datasets.rollBack(MAIN_NAME, snapshot, {
      keepAs: step.keep,
      carried: step.op === 'reset' ? [step.path] : [],
      path: step.op === 'restore' ? step.path : '',
      // In place wherever that is possible.
      copiedMax: 0,
    });
    // The outcome of carrying something over is taken from the volume; that it is there wholly or not at all is what is checked.
    if (step.op !== 'rollback') this.states[index] = await readStore(this.store);
    await this.#whenDurable(rolledBack, index, 'all');
  }

  async #whenDurable(promise: Promise<unknown>, index: number, what: number | 'all'): Promise<void> {
    this.#noteWhenDurable(promise, index, what);
    await settle(this.disk, promise, this.#pick);
  }

  #noteWhenDurable(promise: Promise<unknown>, index: number, what: number | 'all'): void {
    promise.then(
      () => this.#noteDurable(index, what),
      () => undefined,
    );
  }

  #noteDurable(index: number, what: number | 'all'): void {
    this.#durable = Math.max(this.#durable, index);
    if (what === 'all') this.#dataDurable = Math.max(this.#dataDurable, index);
    else this.#fileDurable.set(what, Math.max(this.#fileDurable.get(what) ?? 0, index));
  }

  /** The last step was refused for a reason that the model does not know (a full disk): it has changed nothing. */
  takeBack(): void {
    this.states.push(this.states.at(-2) ?? this.present);
    this.#returned = this.states.length - 1;
  }

  // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Unmounts. */
  async close(): Promise<void> {
    await settle(this.disk, this.store.close(), this.#pick);
  }

  /** The process is gone, its timers too, and so is the disk: take copies before. */
  async abandon(): Promise<void> {
    this.disk.kill();
    await this.store.close().catch(() => undefined);
    this.disk.dispose();
  }

  /** What the volume shows now must be the model's present, byte for byte. */
  async compare(): Promise<void> {
    const shown = await readStore(this.store);
    if (shown.skeleton !== this.present.skeleton) {
      throw new Violation(`the volume shows\n${shown.skeleton}\nin place of\n${this.present.skeleton}`);
    }
    for (const { path, inode } of this.present.files()) {
      if (!shown.get(inode.ino).content.equals(inode.content)) throw new Violation(`${path} has other content`);
    }
    for (const [name, snapshot] of [...this.present.snapshots, ...this.present.clones]) {
      const problem = snapshotProblem(shown.snapshots.get(name) ?? shown.clones.get(name), snapshot);
      if (problem !== undefined) throw new Violation(`${name}: ${problem}`);
    }
  }
}
