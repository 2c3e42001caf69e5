/**
 * One mount, from its request to its end: opens the store, mounts, serves until the kernel says that the mount is gone, and
 * leaves the store clean. Used by the daemon and, in the foreground, by the command itself.
 *
 * The end has one path whoever began it. Somebody unmounts (`umount`, `fusermount3 -u`), or a signal or a command makes this
 * process do so; either way the session ends, and only then is the volume closed, the lock released, and success told.
 */
import { FileSystem } from '../filesystem/filesystem.js';
import { mountDevice } from '../fuse/device.js';
import { type MountOptions, parseMountOptions } from '../fuse/mount-options.js';
import { Session } from '../fuse/session.js';
import { volatileKind } from '../store/volatile.js';
import type { MountStatus } from './control-protocol.js';
import { type ControlledMount, ControlServer } from './control-server.js';
import { detach } from './detach.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { mountAt } from './mount-table.js';
import { mountUsers } from './mount-users.js';
import { OpenedStore } from './opened-store.js';
import { watchProcess } from './process-events.js';

/** After a signal, how long those who still have files open may go on before their mount ends under them. */
const GRACE_MS = 10_000;
const USERS_LOGGED_MAX = 5;

/** Mounts as asked. `terminal` receives what the log says, for a person. Everything is undone when it throws. */
export async function serve(request: MountRequest, terminal?: (line: string) => void): Promise<ServedMount> {
  const options = parseMountOptions(request.options);
  const readOnly = request.readOnly || options.readOnly;
  const store = await OpenedStore.open({ ...request, readOnly }, terminal);
  try {
    const mount = await ServedMount.start(request.mountPoint, store, { ...options, readOnly });
    watchProcess(mount, store.log, terminal !== undefined);
    return mount;
  } catch (error) {
    await store.closeVolume();
    store.release();
    throw error;
  }
}

/** A mount that this process serves. */
export class ServedMount implements ControlledMount {
  readonly report: MountReport;
  /** Resolves at the end, to an empty string when the store was left clean, otherwise to what went wrong. */
  readonly ended: Promise<string>;
  readonly #store: OpenedStore;
  readonly #session: Session;
  readonly #control: ControlServer;
  readonly #startedAt = Date.now();
  /** The mount's device number, by which it is told from another that is made at the same place later. */
  readonly #device: string | undefined;
  #stopping = false;

  /** Mounts the opened store and begins to serve it. */
  static async start(mountPoint: string, store: OpenedStore, options: MountOptions): Promise<ServedMount> {
    const readOnlyReason = store.volume.status().readOnlyReason;
    const fd = await mountDevice({
      mountPoint,
      source: store.path,
      options: { ...options, readOnly: readOnlyReason !== '' },
    });
    const session = new Session({
      fd,
      filesystem: new FileSystem(store.volume, { atime: options.atime }),
      initialised: false,
      writebackCache: !options.writethrough,
      log: store.log,
    });
    return new ServedMount(mountPoint, store, session, await ControlServer.open(store.path));
  }

  private constructor(mountPoint: string, store: OpenedStore, session: Session, control: ControlServer) {
    const { recovery } = store.volume;
    this.#store = store;
    this.#session = session;
    this.#control = control;
    this.#device = mountAt(mountPoint)?.device;
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
    store.log.info({ mountPoint, store: store.path, recovery }, 'mounted');
  }

  status(): MountStatus {
    const { mountPoint, store, pid, volatile } = this.report;
    return {
      mountPoint,
      store,
      pid,
      startedAt: this.#startedAt,
      volatile,
      volume: this.#store.volume.status(),
      residentBytes: process.memoryUsage.rss(),
    };
  }

  /**
   * Unmounts. Where the mount is in use it goes out of sight at once, and those who use it have some time to finish. Asked for a
   * second time, it ends under them.
   */
  stop(reason: string): void {
    if (this.#stopping) {
      this.#session.stop();
      return;
    }
    this.#stopping = true;
    this.#store.log.info({ reason }, 'unmounting');
    this.#takeDown();
  }

  async #takeDown(): Promise<void> {
    const { mountPoint } = this.report;
    const { log } = this.#store;
    const isInSight = this.#device !== undefined && mountAt(mountPoint)?.device === this.#device;
    if (isInSight) {
      const result = await detach(mountPoint, false);
      if (result.outcome === 'done') {
        return;
      }
      log.warn({ result, users: mountUsers(mountPoint, USERS_LOGGED_MAX) }, 'in use: unmounting lazily');
      await detach(mountPoint, true);
    }
    setTimeout(() => {
      log.warn({ waitedMs: GRACE_MS }, 'still in use: ending the mount under its users');
      this.#session.stop();
    }, GRACE_MS).unref();
  }

  async #serveToTheEnd(): Promise<string> {
    const { log } = this.#store;
    let failure = '';
    try {
      await this.#session.ended;
    } catch (error) {
      log.fatal({ error }, 'serving failed');
      failure = `serving failed: ${messageOf(error)}`;
    }
    this.#control.withdraw();
    try {
      await this.#store.closeVolume();
    } catch (error) {
      log.error({ error }, 'the store could not be closed');
      failure ||= messageOf(error);
    }
    log.info({ clean: failure === '' }, 'unmounted');
    this.#store.release();
    await this.#control.dismiss(failure);
    return failure;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
