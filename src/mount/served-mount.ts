/**
 * One mount that this process serves: its connection to the kernel, the session on it, and the volume or snapshot that it shows.
 *
 * What it needs outlives the process: the description goes to the supervisor, and another process goes on with it (`resume`).
 */
import { CorruptionError } from '../errors/corruption.js';
import { Namespace } from '../filesystem/namespace.js';
import { Connection } from '../fuse/connection.js';
import { kernelHasEpochs } from '../fuse/kernel-version.js';
import { Session, type SessionEnd } from '../fuse/session.js';
import type { FuseNative } from '../fuse-native/package.js';
import type { Ino } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import { Datasets } from '../volume/datasets.js';
import { hasRemovedTrees } from '../volume/orphans.js';
import type { ServedDataset } from './control-protocol.js';
import { flushInChild } from './flush.js';
import { forgetPath, forgetSnapshot, forgetTree, rootNames } from './kernel-caches.js';
import type { Logger } from './log.js';
import { MountError } from './mount-error.js';
import type { MountDescription } from './mount-request.js';
import { mountAt, placeOfDevice } from './mount-table.js';
import { mountUsers } from './mount-users.js';
import { openInodes } from './open-inodes.js';
import type { OpenedStore } from './opened-store.js';
import { detachInChild } from './start-detach.js';
import { emptyCachesInChild } from './start-empty-caches.js';
import { kernelTransport, startFuseNative, type Transport } from './transport.js';

const USERS_LOGGED_MAX = 5;
/** After it went out of sight, how long those who still have files open may go on before the mount ends under them. */
const GRACE_MS = 10_000;

export class ServedMount {
  readonly description: MountDescription;
  readonly dataset: Dataset;
  readonly #namespace: Namespace;
  readonly #transport: Transport;
  readonly #store: OpenedStore;
  readonly #mountedAtMs = Date.now();
  /** Called when the kernel has been told of another tree, with the view of that. */
  onTold: ((view: number) => void) | undefined;
  /** Names in the root directory before it changed: see kernel-caches.ts. */
  #rootNames: readonly Buffer[] = [];
  #isStopping = false;

  /** Serves a mount that has just been made, or undoes it. `fd`: its /dev/fuse, which belongs to the mount from here on. */
  static async start(description: MountDescription, fd: number, store: OpenedStore): Promise<ServedMount> {
    const connection = new Connection(fd);
    const namespace = namespaceOf(description, store);
    const session = sessionOf(description, connection, namespace, store, false);
    const mount = new ServedMount(description, store, namespace, kernelTransport(connection, session));
    session.start();
    try {
      await session.ready;
    } catch (error) {
      await mount.undo();
      throw error;
    }
    return mount;
  }

  /** Mounts over fuse-native, and serves that. Throws `FuseNativeError`. */
  static async startNative(
    fuseNative: FuseNative,
    description: MountDescription,
    store: OpenedStore,
  ): Promise<ServedMount> {
    const namespace = namespaceOf(description, store);
    const { mountPoint, options } = description;
    const transport = await startFuseNative(fuseNative, mountPoint, store.path, options, namespace, store.log);
    const device = mountAt(mountPoint)?.device ?? '';
    return new ServedMount({ ...description, device }, store, namespace, transport);
  }

  /** Goes on with a mount; the requests to which its former process owed a reply are asked for again. */
  static async resume(description: MountDescription, fd: number, store: OpenedStore): Promise<ServedMount> {
    const connection = new Connection(fd);
    const namespace = namespaceOf(description, store);
    const session = sessionOf(description, connection, namespace, store, true);
    const mount = new ServedMount(description, store, namespace, kernelTransport(connection, session));
    session.start();
    const errno = await connection.askAgain(session);
    if (errno !== 0) {
      store.log.error({ errno }, 'requests under way could not be asked for again');
    }
    return mount;
  }

  private constructor(description: MountDescription, store: OpenedStore, namespace: Namespace, transport: Transport) {
    this.description = description;
    this.dataset = datasetOf(description, store);
    this.#namespace = namespace;
    this.#store = store;
    this.#transport = transport;
  }

  /** Resolves when nothing is served any more. It never rejects. */
  get ended(): Promise<SessionEnd> {
    return this.#transport.ended;
  }

  /** Takes the mount away, whoever uses it. */
  async undo(): Promise<void> {
    await detachInChild(this.description.mountPoint, true);
    await this.#transport.stop();
    this.close();
  }

  get #log(): Logger {
    return this.#store.log;
  }

  /** The descriptor with which another process can go on with the mount; undefined where it ends with this one. */
  get descriptor(): number | undefined {
    return this.#transport.descriptor;
  }

  /** Why nothing can be changed through it; empty where it can. */
  get readOnlyReason(): string {
    const { readOnlyReason } = this.#store.store;
    if (readOnlyReason !== '' || !this.description.readOnly) return readOnlyReason;
    return this.dataset.type === 'snapshot' ? 'it is a snapshot' : 'mounted read-only';
  }

  /** Whether it can be seen at its place, and not another mount that was made there later. */
  get isInSight(): boolean {
    const { device, mountPoint } = this.description;
    return device !== '' && mountAt(mountPoint)?.device === device;
  }

  /** Whether it is the mount at a place, itself or bound there. */
  isMeant(mountPoint: string, device: string): boolean {
    const own = this.description;
    return own.device === '' ? own.mountPoint === mountPoint : own.device === device;
  }

  status(): ServedDataset {
    const { mountPoint, device, readOnly, durability } = this.description;
    const { type, inodes, dataBytes } = this.dataset;
    return {
      mountPoint,
      device,
      dataset: new Datasets(this.#store.store).nameOf(this.dataset),
      type,
      readOnly,
      durability,
      inodes,
      dataBytes,
      isUnswept: this.#isUnswept,
      mountedAtMs: this.#mountedAtMs,
      requests: this.#transport.requests(),
    };
  }

  get #isUnswept(): boolean {
    const { id, type } = this.dataset;
    try {
      return type === 'volume' && hasRemovedTrees(this.#store.store.state.volume(id));
    } catch (error) {
      // Where there is damage, what can be told is told all the same.
      if (error instanceof CorruptionError) return false;
      throw error;
    }
  }

  /** Has the kernel hand over what programs have written, unless the mount is out of sight. */
  async flush(): Promise<void> {
    const { mountPoint, device } = this.description;
    // Where it was unmounted lazily, a part of it may still be bound elsewhere.
    const place = this.isInSight ? mountPoint : placeOfDevice(device);
    if (place !== undefined) await this.#whileServed(flushInChild(place));
  }

  /** Has the kernel give up what it has cached of files that nobody uses. */
  async emptyCaches(): Promise<void> {
    if (!this.isInSight) return;
    const error = await this.#whileServed(emptyCachesInChild(this.description.mountPoint));
    if (error !== undefined) this.#log.warn({ err: error }, 'the caches of the kernel could not be emptied');
  }

  /** Waits for a process that may wait for this one: where nobody serves what it wants any more, the next process will. */
  async #whileServed<Result>(result: Promise<Result>): Promise<Result> {
    const ended = this.ended.then(() => {
      const { mountPoint } = this.description;
      throw new MountError('interrupted', `${mountPoint} was unmounted, or its process restarted, meanwhile.`);
    });
    return Promise.race([result, ended]);
  }

  /** The volume was rolled back, wholly or, where `path` is not empty, at a path: the kernel is told to look again. */
  async rolledBack(path: string): Promise<void> {
    if (path !== '') {
      await forgetPath(this.#notify, this.#namespace, path);
      return;
    }
    const { view } = this.dataset;
    const open = (): Promise<Iterable<number>> => openInodes(this.description.device);
    await forgetTree(this.#notify, this.#namespace, this.#rootNames, open);
    this.#rootNames = [];
    this.onTold?.(view);
  }

  /** The volume is about to get another tree. */
  beforeReplacing(): void {
    if (!kernelHasEpochs()) this.#rootNames = rootNames(this.#namespace);
  }

  /** A file has lost its last name without a program having taken it away: if none has it open, it goes. */
  orphaned(ino: Ino): void {
    void this.#transport.reconsider([this.#namespace.nodeOf(ino)]);
  }

  /**
   * Does what is left to do when it begins to be served here. Files without a name go, if none has them open: those that a former process
   * had given up since its last checkpoint are there again. And the kernel is told of a rollback, if a process died before it did so.
   */
  catchUp(): void {
    if (this.dataset.type !== 'volume') return;
    const orphans = [...this.#store.store.state.volumeOf(this.dataset).orphans];
    void this.#transport.reconsider(orphans.map((ino) => this.#namespace.nodeOf(ino)));
    if (this.dataset.view === this.description.view) return;
    this.#log.info({ mountPoint: this.description.mountPoint }, 'telling the kernel of a rollback');
    this.rolledBack('').catch((error) => this.#log.warn({ err: error }, 'the kernel could not be told of a rollback'));
  }

  /** There is, or is no more, a snapshot of a name. */
  async snapshotChanged(name: string): Promise<void> {
    await forgetSnapshot(this.#notify, name);
  }

  readonly #notify = (notification: Uint8Array): Promise<number> => this.#transport.notify(notification);

  /**
   * Unmounts. Where the mount is in use it goes out of sight at once, and those who use it have some time to finish. Asked for a
   * second time, it ends under them.
   */
  takeDown(): void {
    if (this.#isStopping) {
      void this.#transport.stop();
      return;
    }
    this.#isStopping = true;
    void this.#takeDown();
  }

  async #takeDown(): Promise<void> {
    const { mountPoint } = this.description;
    if (this.isInSight) {
      const error = await detachInChild(mountPoint, false);
      if (error === undefined) {
        return;
      }
      this.#log.warn({ err: error, users: mountUsers(mountPoint, USERS_LOGGED_MAX) }, 'in use: unmounting lazily');
      await detachInChild(mountPoint, true);
    }
    setTimeout(() => {
      this.#log.warn({ mountPoint, waitedMs: GRACE_MS }, 'still in use: ending the mount under its users');
      void this.#transport.stop();
    }, GRACE_MS).unref();
  }

  /** Takes no more requests; the mount stays, for another process to go on with. */
  async stopServing(): Promise<void> {
    await this.#transport.stop();
  }

  /** Closes the connection: whoever still waits for an answer gets ENOTCONN. */
  close(): void {
    this.#transport.close();
  }
}

const datasetOf = ({ dataset }: MountDescription, { store }: OpenedStore): Dataset =>
  store.state.catalog.require(dataset);

function namespaceOf(description: MountDescription, store: OpenedStore): Namespace {
  const { readOnly, options, durability } = description;
  return new Namespace(store.store, datasetOf(description, store), {
    atime: readOnly ? 'noatime' : (options.accessTime ?? 'relatime'),
    nodiratime: options.nodiratime,
    sync: durability === 'sync',
  });
}

const sessionOf = (
  { id, options }: MountDescription,
  connection: Connection,
  filesystem: Namespace,
  { log }: OpenedStore,
  initialised: boolean,
): Session =>
  new Session({
    fd: connection.served,
    filesystem,
    initialised,
    connection: id,
    writebackCache: !options.writethrough,
    log,
  });
