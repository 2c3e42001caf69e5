/**
 * One mount, from its request to its end: opens the store, mounts, serves until the kernel says that the mount is gone, and
 * leaves the store clean. Used by the daemon and, in the foreground, by the command itself.
 *
 * The end has one path whoever began it. Somebody unmounts (`umount`, `fusermount3 -u`), or a signal or a command makes this
 * process do so; either way the session ends, and only then is the volume closed, the lock released, and success told.
 */
import { closeSync, readFileSync } from 'node:fs';
import { FileSystem } from '../filesystem/filesystem.js';
import { mountFuse } from '../fuse/device.js';
import { type MountOptions, parseMountOptions } from '../fuse/mount-options.js';
import { Session } from '../fuse/session.js';
import { volatileKind } from '../store/volatile.js';
import type { MountStatus } from './control-protocol.js';
import { type ControlledMount, ControlServer } from './control-server.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { mountAt } from './mount-table.js';
import { mountUsers } from './mount-users.js';
import { OpenedStore } from './opened-store.js';
import { checkPreconditions } from './preconditions.js';
import { watchProcess } from './process-events.js';
import { detachInChild } from './start-detach.js';

/** After a signal, how long those who still have files open may go on before their mount ends under them. */
const GRACE_MS = 10_000;
const USERS_LOGGED_MAX = 5;

/** Mounts as asked. `terminal` receives what the log says, for a person. Everything is undone when it throws. */
export async function serve(request: MountRequest, terminal?: (line: string) => void): Promise<ServedMount> {
  const options = parseMountOptions(request.options);
  checkPreconditions(request.mountPoint, request.store, options.nonempty);
  const readOnly = request.readOnly || options.readOnly;
  const store = await OpenedStore.open({ ...request, readOnly }, terminal);
  try {
    const mount = await ServedMount.start(request.mountPoint, store, options);
    watchProcess(mount, store.log, terminal !== undefined);
    return mount;
  } catch (error) {
    store.log.error({ err: error }, 'not mounted');
    await store.closeVolume().finally(() => store.release());
    throw error;
  }
}

/** A mount that this process serves. */
export class ServedMount implements ControlledMount {
  readonly report: MountReport;
  /** Resolves at the end, to an empty string when the store was left clean, otherwise to what went wrong. */
  readonly ended: Promise<string>;
  readonly #store: OpenedStore;
  readonly #fd: number;
  readonly #session: Session;
  readonly #control: ControlServer;
  readonly #startedAt = Date.now();
  /** The mount's device number, by which it is told from another that is made at the same place later. */
  readonly #device: string | undefined;
  #stopping = false;

  /** Mounts the opened store, and begins to serve it. */
  static async start(mountPoint: string, store: OpenedStore, options: MountOptions): Promise<ServedMount> {
    const readOnly = store.volume.status().readOnlyReason !== '';
    const filesystem = new FileSystem(store.volume, { atime: readOnly ? 'noatime' : options.accessTime });
    const fd = mountFuse(mountPoint, store.path, { ...options, readOnly });
    const session = new Session({
      fd,
      filesystem,
      initialised: false,
      writebackCache: !options.writethrough,
      log: store.log,
    });
    try {
      session.start();
      await session.ready;
      return new ServedMount(mountPoint, store, fd, session, await ControlServer.open(store.path));
    } catch (error) {
      await detachInChild(mountPoint, true);
      await session.stop();
      closeSync(fd);
      throw error;
    }
  }

  private constructor(mountPoint: string, store: OpenedStore, fd: number, session: Session, control: ControlServer) {
    const { recovery } = store.volume;
    this.#store = store;
    this.#fd = fd;
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
    store.log.info({ mountPoint, store: store.path, created: store.created, recovery }, 'mounted');
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
      privateBytes: privateBytes(),
    };
  }

  /**
   * Unmounts. Where the mount is in use it goes out of sight at once, and those who use it have some time to finish. Asked for a
   * second time, it ends under them.
   */
  stop(reason: string): void {
    if (this.#stopping) {
      void this.#session.stop();
      return;
    }
    this.#stopping = true;
    this.#store.log.info({ reason }, 'unmounting');
    void this.#takeDown();
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
      void this.#session.stop();
    }, GRACE_MS).unref();
  }

  async #serveToTheEnd(): Promise<string> {
    const { log } = this.#store;
    const end = await this.#session.ended;
    // Whoever still waits for an answer gets ENOTCONN from here on.
    closeSync(this.#fd);
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
    await this.#control.dismiss(failure);
    return failure;
  }
}

function privateBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(match?.[1] ?? 0) * 1024;
}
