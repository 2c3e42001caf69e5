/**
 * A store opened for serving: its lock held, its log open, its volumes recovered. Made first when the directory is empty.
 *
 * Nothing is written into a directory before it is known to be a store or an empty place for one.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../errors/store-error.js';
import { inodeTime } from '../native/addon.js';
import { HostDisk } from '../store/host-disk.js';
import { StoreLock } from '../store/lock.js';
import { chooseSuperblock } from '../store/superblock.js';
import { openStore } from '../volume/open-store.js';
import type { Durability } from '../volume/options.js';
import type { Store } from '../volume/store.js';
import { createVolume } from './create-volume.js';
import { type Logger, openLog, type Terminal } from './log.js';
import { LOG_FILE, LogFile } from './log-file.js';
import { type DirectoryState, directoryState, makeStoreDirectory, notAStore } from './store-directory.js';
import { explainStoreFailure } from './store-failure.js';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** How a store is to be opened. */
export interface StoreRequest {
  /** Absolute. */
  readonly store: string;
  /** The label of a store that has to be made first. */
  readonly label: string;
  readonly durability: Durability;
  readonly commitIntervalMs: number;
  readonly readOnly: boolean;
  /** What the lock tells others of this process: the program, and where it mounts the store (empty: nowhere). */
  readonly holder: string;
  readonly mountPoint: string;
}

export class OpenedStore {
  /** Where the store's directory was found, absolute. */
  readonly path: string;
  readonly store: Store;
  /** The store was made by this opening. */
  readonly created: boolean;
  /** It was opened to be read only, and does not become writable. */
  readonly readOnly: boolean;
  readonly log: Logger;
  readonly #lock: StoreLock;
  readonly #logFile: LogFile;

  private constructor(
    { store: path, readOnly }: StoreRequest,
    store: Store,
    created: boolean,
    log: Logger,
    lock: StoreLock,
    logFile: LogFile,
  ) {
    this.readOnly = readOnly;
    this.path = path;
    this.store = store;
    this.created = created;
    this.log = log;
    this.#lock = lock;
    this.#logFile = logFile;
  }

  /**
   * Opens the store of `request`. `inheritedLock`: the descriptor of a lock that this process shares with its supervisor; the mount
   * goes on that another process served before. Throws StoreError with what is wrong, and leaves no lock of its own behind.
   */
  static async open(request: StoreRequest, terminal?: Terminal, inheritedLock?: number): Promise<OpenedStore> {
    const { store, holder, mountPoint } = request;
    const before = directoryState(store);
    if (before !== 'store') {
      checkPlaceForStore(store, before, request.readOnly);
    }
    const isResumed = inheritedLock !== undefined;
    const lock = isResumed
      ? StoreLock.adopt(inheritedLock, holder, mountPoint)
      : StoreLock.acquire(store, holder, mountPoint);
    const { directory } = lock;
    const logFile = new LogFile(path.join(directory, LOG_FILE));
    try {
      const log = openLog(logFile, terminal);
      // Looked at again under the lock: another command may have made it meanwhile.
      const created = directoryState(directory) !== 'store';
      const disk = new HostDisk(directory, { readOnly: request.readOnly && isClean(directory) });
      if (created) {
        await createVolume(disk, request.label);
      }
      const opened = await openStore(disk, {
        durability: request.durability,
        commitIntervalMs: request.commitIntervalMs,
        readOnly: request.readOnly,
        resume: isResumed,
        bootId: readFileSync(BOOT_ID, 'latin1').trim(),
        log,
        now: inodeTime,
      });
      return new OpenedStore(request, opened, created, log, lock, logFile);
    } catch (error) {
      logFile.close();
      if (!isResumed) {
        lock.release();
      }
      throw explainStoreFailure(store, error);
    }
  }

  /** A path to the store's directory that leads there wherever it is moved; `path` is for people. */
  get directory(): string {
    return this.#lock.directory;
  }

  /** The lock's descriptor, for a supervisor to share. */
  get lockDescriptor(): number {
    return this.#lock.descriptor;
  }

  /** Closes the store so that another process can go on with the same mounts. The log file and the lock stay. */
  suspendStore(): Promise<void> {
    return this.store.suspend();
  }

  /** Closes the store with a last checkpoint. The log file and the lock stay. */
  closeStore(): Promise<void> {
    return this.store.close();
  }

  release(): void {
    this.#logFile.close();
    this.#lock.release();
  }
}

/** A store that was not closed properly is recovered first, which writes, whoever opens it. */
const isClean = (store: string): boolean => chooseSuperblock(new HostDisk(store, { readOnly: true })).clean;

/** Refuses a directory in which a store must not be made, and makes a missing one. */
function checkPlaceForStore(store: string, state: Exclude<DirectoryState, 'store'>, readOnly: boolean): void {
  if (state === 'other') {
    throw notAStore(store);
  }
  if (readOnly) {
    throw new StoreError(
      'not-a-store',
      `There is no store at ${store}, and none can be made for a read-only mount.`,
      'Name an existing store with --store DIR, or leave --read-only out.',
    );
  }
  if (state === 'missing') {
    makeStoreDirectory(store);
  }
}
