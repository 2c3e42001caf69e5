/**
 * One mount, from its request to its end: opens the store, mounts, serves until the kernel says that the mount is gone, and
 * leaves the store clean. Used by worker.ts.
 *
 * The process that serves may die: its supervisor (supervisor.ts) then has another one go on with the same mount (`resume`).
 *
 * The end has one path whoever began it. Somebody unmounts (`umount`, `fusermount3 -u`), or a signal or a command makes this
 * process do so; either way the session ends, and only then is the volume closed, the lock released, and success told.
 */
import { readFileSync } from 'node:fs';
import { FileSystem } from '../filesystem/filesystem.js';
import { Connection } from '../fuse/connection.js';
import { mountFuse } from '../fuse/device.js';
import { type MountOptions, parseMountOptions } from '../fuse/mount-options.js';
import { Session, type SessionEnd } from '../fuse/session.js';
import type { FuseNative } from '../fuse-native/package.js';
import { volatileKind } from '../store/volatile.js';
import { Scrub, type ScrubStatus } from '../volume/scrub.js';
import type { MountStatus } from './control-protocol.js';
import { type ControlledMount, ControlServer, type ServiceEnd } from './control-server.js';
import type { Terminal } from './log.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { mountAt } from './mount-table.js';
import { mountUsers } from './mount-users.js';
import { OpenedStore } from './opened-store.js';
import { checkPreconditions } from './preconditions.js';
import { watchProcess } from './process-events.js';
import { widenReadAhead } from './read-ahead.js';
import { detachInChild } from './start-detach.js';
import { kernelTransport, loadFuseNative, startFuseNative, type Transport } from './transport.js';
import type { Deaths, InheritedMount } from './worker-protocol.js';

/** After a signal, how long those who still have files open may go on before their mount ends under them. */
const GRACE_MS = 10_000;
const USERS_LOGGED_MAX = 5;
const FINDINGS_LOGGED_MAX = 20;
const NO_DEATHS: Deaths = { count: 0, last: '' };

/** Mounts as asked. `terminal` receives what the log says, for a person. Everything is undone when it throws. */
export async function serve(request: MountRequest, terminal?: Terminal): Promise<ServedMount> {
  const options = parseMountOptions(request.options);
  checkPreconditions(request.mountPoint, request.store, options.nonempty);
  // Before anything is made: it may be missing.
  const fuseNative = request.transport === 'fuse-native' ? await loadFuseNative() : undefined;
  const store = await OpenedStore.open(withOptions(request, options), terminal);
  try {
    const mount = await ServedMount.start(request.mountPoint, store, options, fuseNative);
    watchProcess(mount, store.log, terminal !== undefined);
    return mount;
  } catch (error) {
    store.log.error({ err: error }, 'not mounted');
    await store.closeVolume().finally(() => store.release());
    throw error;
  }
}

/** Goes on with a mount that another process served until it died or was asked to make room. */
export async function resume(
  request: MountRequest,
  inherited: InheritedMount,
  terminal?: Terminal,
): Promise<ServedMount> {
  const options = parseMountOptions(request.options);
  const store = await OpenedStore.open(withOptions(request, options), terminal, inherited.lock);
  const mount = await ServedMount.resume(request.mountPoint, store, options, inherited);
  watchProcess(mount, store.log, terminal !== undefined);
  return mount;
}

/** A mount that this process serves. */
export class ServedMount implements ControlledMount {
  readonly report: MountReport;
  /** Resolves at the end. It never rejects. */
  readonly ended: Promise<ServiceEnd>;
  readonly #store: OpenedStore;
  readonly #transport: Transport;
  readonly #control: ControlServer;
  readonly #startedAt = Date.now();
  /** The mount's device number, by which it is told from another that is made at the same place later. */
  readonly #device: string | undefined;
  readonly #deaths: Deaths;
  #stopping = false;
  #restarting = false;
  #scrub: Scrub | undefined;

  /** Mounts the opened store, over fuse-native if that is given, and begins to serve it. */
  static async start(
    mountPoint: string,
    store: OpenedStore,
    asked: MountOptions,
    fuseNative: FuseNative | undefined,
  ): Promise<ServedMount> {
    const options = { ...asked, readOnly: isReadOnly(store) };
    const transport =
      fuseNative === undefined
        ? await startSession(mountPoint, store, options)
        : await startFuseNative(fuseNative, mountPoint, store.path, options, makeFileSystem(store, options), store.log);
    try {
      const control = await ControlServer.open(store.path);
      return new ServedMount(mountPoint, store, transport, control, NO_DEATHS);
    } catch (error) {
      await takeBack(mountPoint, transport);
      throw error;
    }
  }

  /** Goes on with a mount; the requests to which its former process owed a reply are asked for again. */
  static async resume(
    mountPoint: string,
    store: OpenedStore,
    options: MountOptions,
    inherited: InheritedMount,
  ): Promise<ServedMount> {
    const connection = new Connection(inherited.fuse);
    const session = makeSession(connection, store, options, true);
    const control = await ControlServer.open(store.path);
    session.start();
    const errno = await connection.askAgain(session);
    if (errno !== 0) {
      store.log.error({ errno }, 'requests under way could not be asked for again');
    }
    // What the former process had given up since its last checkpoint is there again.
    void session.reconsider([...store.volume.state.orphans]);
    return new ServedMount(mountPoint, store, kernelTransport(connection, session), control, inherited.deaths);
  }

  private constructor(
    mountPoint: string,
    store: OpenedStore,
    transport: Transport,
    control: ControlServer,
    deaths: Deaths,
  ) {
    const { recovery } = store.volume;
    this.#store = store;
    this.#transport = transport;
    this.#control = control;
    this.#deaths = deaths;
    this.#device = mountAt(mountPoint)?.device;
    if (this.#device !== undefined) {
      widenReadAhead(this.#device);
    }
    this.report = {
      mountPoint,
      store: store.path,
      pid: process.pid,
      created: store.created,
      volatile: volatileKind(store.path) ?? null,
      readOnlyReason: store.volume.status().readOnlyReason,
      recovery,
    };
    this.ended = this.#serveToTheEnd();
    control.serve(this);
    const told = deaths.count > 0 ? { deaths } : { created: store.created };
    store.log.info({ mountPoint, store: store.path, ...told, recovery }, deaths.count > 0 ? 'resumed' : 'mounted');
  }

  /** The descriptors that a supervisor shares, to hand them to another process; undefined where none can go on. */
  get descriptors(): { readonly fuse: number; readonly lock: number } | undefined {
    const { descriptor } = this.#transport;
    return descriptor === undefined ? undefined : { fuse: descriptor, lock: this.#store.lockDescriptor };
  }

  status(): MountStatus {
    const { mountPoint, store, pid, volatile } = this.report;
    return {
      mountPoint,
      store,
      pid,
      transport: this.#transport.name,
      supervisorPid: process.ppid,
      restarts: this.#deaths.count,
      lastDeath: this.#deaths.last,
      startedAt: this.#startedAt,
      volatile,
      volume: this.#store.volume.status(),
      privateBytes: privateBytes(),
      requests: this.#transport.requests(),
    };
  }

  /**
   * Unmounts. Where the mount is in use it goes out of sight at once, and those who use it have some time to finish. Asked for a
   * second time, it ends under them.
   */
  stop(reason: string): void {
    if (this.#stopping) {
      void this.#transport.stop();
      return;
    }
    this.#stopping = true;
    this.#store.log.info({ reason }, 'unmounting');
    void this.#takeDown();
  }

  /** Ends the service in this process, for another to go on with it. Programs that use the mount wait meanwhile. */
  restart(): void {
    if (this.#stopping || this.#transport.descriptor === undefined) {
      return;
    }
    this.#restarting = true;
    this.#store.log.info({}, 'restarting');
    void this.#transport.stop();
  }

  scrub(bytesPerSecond: number): void {
    if (this.#scrub?.status().state === 'running') {
      return;
    }
    const { log } = this.#store;
    const scrub = new Scrub(this.#store.volume.state, bytesPerSecond);
    this.#scrub = scrub;
    log.info({ bytesPerSecond }, 'scrub begun');
    void scrub.ended.then(() => {
      const { findings, ...result } = scrub.status();
      if (result.problems === 0) {
        log.info(result, 'scrub ended');
      } else {
        log.error({ ...result, findings: findings.slice(0, FINDINGS_LOGGED_MAX) }, 'scrub ended: damage was found');
      }
    });
  }

  stopScrub(): void {
    this.#scrub?.stop();
  }

  scrubStatus(): ScrubStatus | null {
    return this.#scrub?.status() ?? null;
  }

  async #takeDown(): Promise<void> {
    const { mountPoint } = this.report;
    const { log } = this.#store;
    const isInSight = this.#device !== undefined && mountAt(mountPoint)?.device === this.#device;
    if (isInSight) {
      const error = await detachInChild(mountPoint, false);
      if (error === undefined) {
        return;
      }
      log.warn({ err: error, users: mountUsers(mountPoint, USERS_LOGGED_MAX) }, 'in use: unmounting lazily');
      await detachInChild(mountPoint, true);
    }
    setTimeout(() => {
      log.warn({ waitedMs: GRACE_MS }, 'still in use: ending the mount under its users');
      void this.#transport.stop();
    }, GRACE_MS).unref();
  }

  async #serveToTheEnd(): Promise<ServiceEnd> {
    const end = await this.#transport.ended;
    this.#scrub?.stop();
    await this.#scrub?.ended;
    const result = end.reason === 'stopped' && this.#restarting ? await this.#handOver() : await this.#finish(end);
    await this.#control.dismiss(result);
    return result;
  }

  /** The mount stays, and so does the lock, which the supervisor shares. */
  async #handOver(): Promise<ServiceEnd> {
    this.#control.withdraw();
    try {
      await this.#store.suspendVolume();
    } catch (error) {
      // The successor recovers, as after a death.
      this.#store.log.error({ err: error }, 'the store could not be suspended');
    }
    return { outcome: 'restart' };
  }

  async #finish(end: SessionEnd): Promise<ServiceEnd> {
    const { log } = this.#store;
    // Whoever still waits for an answer gets ENOTCONN from here on.
    this.#transport.close();
    this.#control.withdraw();
    const { readOnlyReason } = this.#store.volume;
    let failure = end.reason === 'failed' ? `serving failed: ${end.error.message}` : '';
    if (readOnlyReason !== this.report.readOnlyReason) {
      failure ||= `it had turned read-only: ${readOnlyReason}`;
    }
    try {
      await this.#store.closeVolume();
    } catch (error) {
      log.error({ err: error }, 'the store could not be closed');
      failure ||= error instanceof Error ? error.message : String(error);
    }
    log.info({ end: end.reason, failure }, 'unmounted');
    this.#store.release();
    return failure === '' ? { outcome: 'clean' } : { outcome: 'failed', error: failure };
  }
}

/**
 * The request with what the words after `-o` say of the store. With `sync` the kernel fsyncs after each write, but not after changes
 * of names and attributes, and `dirsync` it leaves to the file system altogether (mount(8)).
 */
const withOptions = (request: MountRequest, options: MountOptions): MountRequest => ({
  ...request,
  readOnly: request.readOnly || options.readOnly,
  durability: options.sync || options.dirsync ? 'sync' : request.durability,
});

const isReadOnly = (store: OpenedStore): boolean => store.volume.status().readOnlyReason !== '';

/** Mounts, and speaks the kernel's protocol. */
async function startSession(mountPoint: string, store: OpenedStore, options: MountOptions): Promise<Transport> {
  const connection = new Connection(mountFuse(mountPoint, store.path, options));
  const session = makeSession(connection, store, options, false);
  const transport = kernelTransport(connection, session);
  try {
    session.start();
    await session.ready;
    return transport;
  } catch (error) {
    await takeBack(mountPoint, transport);
    throw error;
  }
}

/** Takes a mount away that is not to be. */
async function takeBack(mountPoint: string, transport: Transport): Promise<void> {
  await detachInChild(mountPoint, true);
  await transport.stop();
  transport.close();
}

function makeFileSystem(store: OpenedStore, options: MountOptions): FileSystem {
  const atime = isReadOnly(store) ? 'noatime' : options.accessTime;
  return new FileSystem(store.volume, { atime, nodiratime: options.nodiratime });
}

function makeSession(connection: Connection, store: OpenedStore, options: MountOptions, initialised: boolean): Session {
  return new Session({
    fd: connection.served,
    filesystem: makeFileSystem(store, options),
    initialised,
    writebackCache: !options.writethrough,
    log: store.log,
  });
}

function privateBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(match?.[1] ?? 0) * 1024;
}
