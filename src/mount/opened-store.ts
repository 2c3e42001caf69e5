/**
 * A store opened for serving: its lock held, its log open, its volume recovered. Made first when the directory is empty.
 *
 * Nothing is written into a directory before it is known to be a store or an empty place for one.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../errors/store-error.js';
import { HostDisk } from '../store/host-disk.js';
import { lockStore, type StoreLock } from '../store/lock.js';
import { Volume } from '../volume/volume.js';
import { LOG_FILE, LogFile } from './log-file.js';
import { type Logger, openLog } from './log.js';
import type { MountRequest } from './mount-request.js';
import { directoryState, makeStoreDirectory, refuseForeignDirectory } from './store-directory.js';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export class OpenedStore {
  readonly volume: Volume;
  /** The store was made by this opening. */
  readonly created: boolean;
  readonly log: Logger;
  readonly #lock: StoreLock;
  readonly #logFile: LogFile;

  private constructor(volume: Volume, created: boolean, log: Logger, lock: StoreLock, logFile: LogFile) {
    this.volume = volume;
    this.created = created;
    this.log = log;
    this.#lock = lock;
    this.#logFile = logFile;
  }

  /** Opens the store of `request`. Throws StoreError with what is wrong, and leaves no lock behind. */
  static open(request: MountRequest, terminal: ((line: string) => void) | undefined): OpenedStore {
    const { store } = request;
    refuseForeignDirectory(store);
    if (directoryState(store) === 'missing') {
      makeStoreDirectory(store);
    }
    const lock = lockStore(store, { mountPoint: request.mountPoint });
    const logFile = new LogFile(path.join(store, LOG_FILE));
    try {
      const log = openLog(logFile, terminal);
      // Looked at again under the lock: another command may have made it meanwhile.
      const created = directoryState(store) === 'empty';
      const disk = new HostDisk(store, { readOnly: request.readOnly });
      if (created) {
        refuseToCreateReadOnly(request);
        Volume.create(disk, { label: request.label });
      }
      const volume = Volume.open(disk, {
        durability: request.durability,
        commitIntervalMs: request.commitIntervalMs,
        readOnly: request.readOnly,
        bootId: readFileSync(BOOT_ID, 'latin1').trim().replaceAll('-', ''),
        log,
        now: () => performance.timeOrigin + performance.now(),
      });
      return new OpenedStore(volume, created, log, lock, logFile);
    } catch (error) {
      logFile.close();
      lock.release();
      throw error instanceof StoreError ? aboutStore(store, error) : error;
    }
  }

  /** Closes the volume with a last checkpoint. The log and the lock stay. */
  closeVolume(): Promise<void> {
    return this.volume.close();
  }

  release(): void {
    this.#logFile.close();
    this.#lock.release();
  }
}
