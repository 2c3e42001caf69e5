/**
 * A store that this process serves, with all its mounts: from the first mount to the end of the last one, when the store is closed
 * and left clean.
 *
 * The process may die: its supervisor (supervisor.ts) then has another one go on with the same mounts (`resume`).
 *
 * The end of a mount has one path whoever began it. Somebody unmounts (`umount`, `fusermount3 -u`), or a signal or a command makes
 * this process do so; either way its session ends. Only after the last one is the store closed, the lock released, and success told.
 */
import path from 'node:path';
import { StoreError } from '../errors/store-error.js';
import { mountFuse } from '../fuse/device.js';
import type { SessionEnd } from '../fuse/session.js';
import type { FuseNative } from '../fuse-native/package.js';
import type { DatasetId } from '../store/units.js';
import { volatileKind } from '../store/volatile.js';
import { Datasets } from '../volume/datasets.js';
import { BeginningMounts } from './beginning-mounts.js';
import type { CommandSurroundings } from './command-server.js';
import type { StoreMounts } from './commands/store-command.js';
import type { MountStatus, RunRequest } from './control-protocol.js';
import { type ControlledStore, ControlServer, type ServiceEnd } from './control-server.js';
import { MountError } from './mount-error.js';
import type { MountDescription, MountReport, MountRequest } from './mount-request.js';
import { mountAt, mountPointsBelow } from './mount-table.js';
import type { OpenedStore } from './opened-store.js';
import { type MountPlan, planMount } from './plan-mount.js';
import { discardEphemeral, prepareVolume } from './prepare-volume.js';
import { widenReadAhead } from './read-ahead.js';
import { Schedule } from './schedule.js';
import { ServedMount } from './served-mount.js';
import { serviceStatus } from './service-status.js';
import { attachInChild } from './start-attach.js';
import { StoreScrub } from './store-scrub.js';
import type { Deaths, DescriptorKeeper, InheritedStore } from './worker-protocol.js';

const NO_DEATHS: Deaths = { count: 0, last: '' };

export class ServedStore implements ControlledStore, StoreMounts {
  /** Resolves at the end. It never rejects. */
  readonly ended: Promise<ServiceEnd>;
  readonly scrub: StoreScrub;
  readonly #schedule: Schedule;
  readonly #store: OpenedStore;
  readonly #control: ControlServer;
  readonly #keeper: DescriptorKeeper;
  readonly #deaths: Deaths;
  readonly #startedAt = Date.now();
  readonly #readOnlyReason: string;
  readonly #mounts = new Map<number, ServedMount>();
  readonly #beginning: BeginningMounts;
  #nextId = 0;
  #isRestarting = false;
  #isEnding = false;
  #hasBegun = false;
  #failure = '';
  #end!: (end: ServiceEnd) => void;

  /** Mounts what was asked for, and begins to serve the opened store. Everything but the store is undone when it throws. */
  static async start(
    request: MountRequest,
    store: OpenedStore,
    keeper: DescriptorKeeper,
    fuseNative: FuseNative | undefined,
  ): Promise<{ readonly service: ServedStore; readonly report: MountReport }> {
    const service = new ServedStore(store, await ControlServer.open(store.directory), keeper, NO_DEATHS);
    try {
      await service.#discardEphemeral();
      const report = await service.mount(request, fuseNative);
      service.#begin();
      return { service, report };
    } catch (error) {
      await service.#control.withdraw();
      await service.#schedule.stop();
      throw error;
    }
  }

  /** Goes on with the mounts that another process served. */
  static async resume(
    { mounts, deaths, nextMount }: Omit<InheritedStore, 'lock'>,
    store: OpenedStore,
    keeper: DescriptorKeeper,
  ): Promise<ServedStore> {
    const service = new ServedStore(store, await ControlServer.open(store.directory), keeper, deaths);
    service.#nextId = nextMount;
    for (const { description, fuse } of mounts) {
      service.#serve(await ServedMount.resume(description, fuse, store));
    }
    service.#commitAsAsked();
    store.log.info({ store: store.path, deaths, recovery: store.store.recovery }, 'resumed');
    service.#begin();
    return service;
  }

  /** From now on commands are answered, and the end of the last mount is the end of the service. */
  #begin(): void {
    this.#hasBegun = true;
    this.#control.serve(this);
    this.#endIfUnused();
  }

  private constructor(store: OpenedStore, control: ControlServer, keeper: DescriptorKeeper, deaths: Deaths) {
    this.#store = store;
    this.#control = control;
    this.#keeper = keeper;
    this.#deaths = deaths;
    this.#readOnlyReason = store.store.readOnlyReason;
    this.scrub = new StoreScrub(store.store.state, store.log);
    const { state } = store.store;
    this.#beginning = new BeginningMounts(state.mounted);
    state.onReplacing = (volume) => this.#mountOf(volume)?.beforeReplacing();
    state.onOrphan = (volume, ino) => {
      const mount = this.#mountOf(volume);
      mount?.orphaned(ino);
      // A mount that is just begun, taken over or handed on may have users that this process does not know of.
      const isChanging = !this.#hasBegun || this.#isRestarting || this.#beginning.has(volume);
      return mount !== undefined || isChanging;
    };
    state.catalog.onSnapshotName = (volume, name) => void this.#mountOf(volume)?.snapshotChanged(name);
    this.#schedule = new Schedule(store.store, store.log, (volume) => this.flush(volume));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  // ── Mounting ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Mounts one more volume or snapshot. Resolves when programs can use it; everything is undone when it throws. */
  async mount(request: MountRequest, fuseNative?: FuseNative): Promise<MountReport> {
    if (this.#isEnding || this.#isRestarting) {
      throw new MountError('ending', `The store ${this.#store.path} is just being closed.`, 'Try again.');
    }
    const wanted = planMount(request, this.#store);
    if (request.ephemeral !== true) this.#checkNotMounted(wanted.dataset);
    this.#checkTransport(wanted);
    let mounting = this.#beginning.begin(wanted);
    try {
      // A clone has what programs have written so far, and what is made of it waits for sweeping otherwise.
      if (request.ephemeral) await this.#store.store.swept().then(() => this.flush(wanted.dataset));
      const plan = planMount({ ...request, dataset: await prepareVolume(request, this.#store) }, this.#store);
      this.#beginning.end(mounting);
      mounting = this.#beginning.begin(plan);
      return this.#serveNew(await this.#make(plan, fuseNative));
    } finally {
      this.#beginning.end(mounting);
      this.#endIfUnused();
    }
  }

  /** Makes the mount, and gives the supervisor what it needs to keep it. */
  async #make(plan: MountPlan, fuseNative: FuseNative | undefined): Promise<ServedMount> {
    const { mountPoint, options } = plan;
    const id = this.#nextId++;
    if (fuseNative !== undefined) {
      return ServedMount.startNative(fuseNative, { ...plan, id, device: '' }, this.#store);
    }
    const isFirst = this.#mounts.size === 0;
    const attached = { mountPoint, store: this.#store.path, options };
    const fd = isFirst ? mountFuse(mountPoint, this.#store.path, options) : await attachInChild(attached);
    const description = { ...plan, id, device: mountAt(mountPoint)?.device ?? '' };
    const mount = await ServedMount.start(description, fd, this.#store);
    widenReadAhead(description.device);
    try {
      await this.#keeper.keepMount(fd, description);
    } catch (error) {
      await mount.undo();
      throw error;
    }
    return mount;
  }

  /** A volume has one mount: the kernel's caches of two would not know of each other's changes. */
  #checkNotMounted(id: DatasetId): void {
    const dataset = this.#store.store.state.catalog.require(id);
    if (dataset.type === 'snapshot') return;
    const mountPoint = this.mountPointOf(id);
    if (mountPoint === undefined && !this.#beginning.has(id)) return;
    throw new StoreError(
      'in-use',
      `The volume "${dataset.name}" of the store ${this.#store.path} is mounted at ${mountPoint ?? 'another place'} by process ${process.pid}.`,
      `Unmount it with \`razorfs umount ${mountPoint ?? 'MNT'}\`, use a bind mount (mount --bind), or mount another volume with --volume NAME.`,
    );
  }

  /** A process that dies takes its mounts over fuse-native with it, and those of others must not go with them. */
  #checkTransport({ transport }: MountPlan): void {
    const others = this.#descriptions;
    const native = [...others.map((other) => other.transport), transport].includes('fuse-native');
    if (!native || others.length === 0) return;
    throw new StoreError(
      'in-use',
      `The store ${this.#store.path} is mounted at ${others[0]!.mountPoint}, and a mount over fuse-native must be the only one.`,
      `Unmount that first: razorfs umount ${others[0]!.mountPoint}`,
    );
  }

  #serveNew(mount: ServedMount): MountReport {
    const { mountPoint } = mount.description;
    const { path: storePath, store, created, log } = this.#store;
    this.#serve(mount);
    this.#commitAsAsked();
    const report: MountReport = {
      mountPoint,
      store: storePath,
      dataset: new Datasets(store).nameOf(mount.dataset),
      pid: process.pid,
      created: created && mount.description.id === 0,
      volatile: volatileKind(storePath) ?? null,
      readOnlyReason: mount.readOnlyReason,
      recovery: store.recovery,
    };
    const { id } = mount.description;
    log.info(
      { id, mountPoint, store: storePath, dataset: report.dataset, created, recovery: store.recovery },
      'mounted',
    );
    return report;
  }

  #serve(mount: ServedMount): void {
    this.#mounts.set(mount.description.id, mount);
    this.#store.store.state.mounted.push(mount.description);
    mount.onTold = (view) => this.#keeper.noteView(mount.description.id, view);
    mount.catchUp();
    void mount.ended.then((end) => this.#onEnded(mount, end));
  }

  /** Commits as often as the most demanding mount asks for. */
  #commitAsAsked(): void {
    const intervals = this.#descriptions.map(({ commitIntervalMs }) => commitIntervalMs);
    if (intervals.length > 0) this.#store.store.commitEvery(Math.min(...intervals));
  }

  get #descriptions(): readonly MountDescription[] {
    return [...this.#mounts.values()].map(({ description }) => description);
  }

  // ── What commands ask ────────────────────────────────────────────────────────────────────────────────────────────────

  status(): MountStatus {
    return serviceStatus(this.#store, [...this.#mounts.values()], this.#deaths, this.#startedAt);
  }

  commandSurroundings({ mountPoint, device }: Pick<RunRequest, 'mountPoint' | 'device'>): CommandSurroundings {
    const { store, log } = this.#store;
    const mount = [...this.#mounts.values()].find((candidate) => candidate.isMeant(mountPoint, device));
    if (mount === undefined && mountPoint !== '')
      throw new MountError('not-mounted', `${mountPoint} shows another store.`);
    const volume = mount === undefined ? store.main.state.dataset : store.state.catalog.require(mount.dataset.volume);
    return { store, log, volume, datasets: new Datasets(store), mounts: this };
  }

  #mountOf(dataset: DatasetId): ServedMount | undefined {
    return [...this.#mounts.values()].find((mount) => mount.dataset.id === dataset);
  }

  mountPointOf(dataset: DatasetId): string | undefined {
    return this.#mountOf(dataset)?.description.mountPoint;
  }

  mountsBelow(volume: DatasetId, below: string): readonly string[] {
    const mountPoint = this.mountPointOf(volume);
    return mountPoint === undefined ? [] : mountPointsBelow(path.join(mountPoint, below), mountPoint);
  }

  async flush(volume: DatasetId): Promise<void> {
    await this.#mountOf(volume)?.flush();
  }

  async emptyCaches(volume: DatasetId): Promise<void> {
    await this.#mountOf(volume)?.emptyCaches();
  }

  async rolledBack(volume: DatasetId, path: string): Promise<void> {
    await this.#mountOf(volume)?.rolledBack(path);
  }

  // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  stop(reason: string): void {
    this.#store.log.info({ reason }, 'unmounting');
    for (const mount of this.#mounts.values()) mount.takeDown();
  }

  /** Ends the service in this process, for another to go on with it. Programs that use the mounts wait meanwhile. */
  restart(): void {
    if (this.#isEnding) return;
    if (!this.#keeper.isThere) throw unsupervised(this.#store.path);
    this.#isRestarting = true;
    this.#store.log.info({}, 'restarting');
    for (const mount of this.#mounts.values()) void mount.stopServing();
  }

  #onEnded(mount: ServedMount, end: SessionEnd): void {
    this.#mounts.delete(mount.description.id);
    const { mounted } = this.#store.store.state;
    mounted.splice(mounted.indexOf(mount.description), 1);
    if (end.reason === 'stopped' && this.#isRestarting) {
      if (this.#mounts.size === 0) void this.#conclude(() => this.#handOver());
      return;
    }
    mount.close();
    if (end.reason === 'failed') this.#failure ||= `serving failed: ${end.error.message}`;
    if (this.#isUnused) this.#endIfUnused();
    else void this.#leave(mount, end);
  }

  get #isUnused(): boolean {
    return this.#mounts.size === 0 && this.#beginning.count === 0;
  }

  #endIfUnused(): void {
    if (!this.#isUnused || this.#isEnding || !this.#hasBegun) return;
    this.#isEnding = true;
    void this.#conclude(() => this.#finish());
  }

  /** One mount has ended, and others go on. */
  async #leave(mount: ServedMount, end: SessionEnd): Promise<void> {
    const { store, log } = this.#store;
    const { id, mountPoint } = mount.description;
    this.#keeper.dropMount(id);
    let error = end.reason === 'failed' ? `serving failed: ${end.error.message}` : '';
    try {
      if (mount.dataset.type === 'volume' && store.isWritable) {
        store.sweeper.reclaimAll(store.state.volumeOf(mount.dataset));
        await store.commit('all');
      }
      await this.#discardEphemeral();
    } catch (cause) {
      error ||= cause instanceof Error ? cause.message : String(cause);
    }
    this.#commitAsAsked();
    log.info({ mountPoint, end: end.reason, error }, 'unmounted; the store is still in use');
    this.#control.announce({ answer: 'unmounted', mountPoint, error });
  }

  async #conclude(end: () => Promise<ServiceEnd>): Promise<void> {
    await this.#control.withdraw();
    await this.scrub.end();
    await this.#schedule.stop();
    const result = await end();
    await this.#control.dismiss(result);
    this.#end(result);
  }

  /** The mounts stay, and so does the lock, which the supervisor shares. */
  async #handOver(): Promise<ServiceEnd> {
    try {
      await this.#store.suspendStore();
    } catch (error) {
      // The successor recovers, as after a death.
      this.#store.log.error({ err: error }, 'the store could not be suspended');
    }
    return { outcome: 'restart' };
  }

  /** Ephemeral clones go that are not mounted any more. */
  #discardEphemeral(): Promise<void> {
    return discardEphemeral(this.#store.store, ({ id }) => this.#beginning.has(id) || this.#mountOf(id) !== undefined);
  }

  async #finish(): Promise<ServiceEnd> {
    const { log, store } = this.#store;
    const { readOnlyReason } = store;
    let failure = this.#failure;
    if (readOnlyReason !== this.#readOnlyReason) {
      failure ||= `it had turned read-only: ${readOnlyReason}`;
    }
    try {
      await this.#discardEphemeral();
      await this.#store.closeStore();
    } catch (error) {
      log.error({ err: error }, 'the store could not be closed');
      failure ||= error instanceof Error ? error.message : String(error);
    }
    log.info({ failure }, 'unmounted');
    this.#store.release();
    return failure === '' ? { outcome: 'clean' } : { outcome: 'failed', error: failure };
  }
}

const unsupervised = (store: string): MountError =>
  new MountError(
    'not-restartable',
    'The process that would start another one has been killed.',
    `Unmount, and mount again: razorfs umount ${store}`,
  );
