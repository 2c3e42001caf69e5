/**
 * One process at a time on a store: flock(2) on <store>/lock, whose content names the holder.
 *
 * Invariants:
 * - Only the flock says whether the store is in use; the content is for people, and may be left over from a dead process.
 * - The file is removed only with the store, by who has the lock; a lock on a file that was removed meanwhile does not count, since a
 *   second process could lock a new one of the same name.
 * - The kernel releases the lock when the last process that has the descriptor dies, in whatever way.
 * - What is locked is a directory, not a path: it may be moved meanwhile, and another store made in its place.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { StoreError } from '../errors/store-error.js';
import { tryLockExclusive, unlock } from '../native/file-lock.js';

const LOCK_FILE = 'lock';
/** More than any holder takes; the rest of a longer file is not ours. Bytes. */
const HOLDER_BYTES_MAX = 16_384;
/** `lockState` holds the lock for some microseconds to see whether it is free: whoever meets that tries again. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 4;

/** Who has the store. */
export interface LockHolder {
  readonly pid: number;
  /** The program: `razorfs`, `razorfsck`. */
  readonly command: string;
  /** Absolute; empty for a program that does not mount. */
  readonly mountPoint: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly host: string;
}

/** `holder` is undefined while a process that has the lock has not yet written its name. */
export type LockState = { readonly held: false } | { readonly held: true; readonly holder: LockHolder | undefined };

/** The open lock file of a store. */
interface LockFile {
  readonly descriptor: number;
  readonly writable: boolean;
  /** Of the directory that it is in. */
  readonly directoryDescriptor: number;
}

/** proc_pid_fd(5) */
const pathOf = (descriptor: number): string => `/proc/self/fd/${descriptor}`;

/** The lock on a store that this process holds. */
export class StoreLock {
  /** Inherited by a child process, it keeps the store locked until both have closed it. */
  readonly descriptor: number;
  /** A path to the directory of the locked store, for this process, wherever that is moved. */
  readonly directory: string;
  readonly #writable: boolean;
  readonly #directoryDescriptor: number;

  private constructor({ descriptor, writable, directoryDescriptor }: LockFile) {
    this.descriptor = descriptor;
    this.directory = pathOf(directoryDescriptor);
    this.#writable = writable;
    this.#directoryDescriptor = directoryDescriptor;
  }

  /**
   * Takes the lock of the store in `directory`, which exists, or throws `StoreError('in-use')`. `mountPoint` is empty for a
   * program that does not mount.
   */
  static acquire(directory: string, command: string, mountPoint: string): StoreLock {
    for (let attempt = 1; ; attempt++) {
      const file = openLockFile(directory);
      const isLocked = tryLockExclusive(file.descriptor);
      if (isLocked && fs.fstatSync(file.descriptor).nlink > 0) return StoreLock.#of(file, command, mountPoint);
      const holder = isLocked ? undefined : readHolder(file.descriptor);
      closeLockFile(file);
      if (attempt === ATTEMPTS) throw inUse(directory, holder);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ATTEMPT_INTERVAL_MS);
    }
  }

  /**
   * Takes over a lock that another process has acquired and shares with this one through an inherited descriptor. Throws
   * StoreError when its store is not to be found any more.
   */
  static adopt(descriptor: number, command: string, mountPoint: string): StoreLock {
    const directory = path.dirname(fs.readlinkSync(pathOf(descriptor)));
    const { descriptor: found, directoryDescriptor } = openLockFile(directory);
    const [ours, theirs] = [fs.fstatSync(descriptor), fs.fstatSync(found)];
    fs.closeSync(found);
    if (ours.ino === theirs.ino && ours.dev === theirs.dev) {
      return StoreLock.#of({ descriptor, writable: true, directoryDescriptor }, command, mountPoint);
    }
    fs.closeSync(directoryDescriptor);
    throw new StoreError('not-a-store', `The store that was served at ${directory} is not there any more.`);
  }

  static #of(file: LockFile, command: string, mountPoint: string): StoreLock {
    const lock = new StoreLock(file);
    lock.#nameHolder(command, mountPoint);
    return lock;
  }

  #nameHolder(command: string, mountPoint: string): void {
    const startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString();
    this.#write(JSON.stringify({ pid: process.pid, command, mountPoint, startedAt, host: os.hostname() }));
  }

  /** Gives the store up, also on behalf of children that have inherited the descriptor. */
  release(): void {
    this.#write('');
    unlock(this.descriptor);
    fs.closeSync(this.descriptor);
    fs.closeSync(this.#directoryDescriptor);
  }

  #write(content: string): void {
    if (!this.#writable) return;
    try {
      fs.ftruncateSync(this.descriptor, 0);
      fs.writeSync(this.descriptor, content, 0);
    } catch {
      // A full disk must not keep a store from being mounted (and emptied): the lock holds without the name.
    }
  }
}

/** Whether the store in `directory` is in use, and by whom. Does not change anything. */
export const lockState = (directory: string): LockState => {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path.join(directory, LOCK_FILE), 'r');
  } catch (error) {
    // Nobody can have locked what is not there.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { held: false };
    throw unusable(directory, error);
  }
  try {
    if (!tryLockExclusive(descriptor)) return { held: true, holder: readHolder(descriptor) };
    unlock(descriptor);
    return { held: false };
  } finally {
    fs.closeSync(descriptor);
  }
};

/** Throws StoreError. */
function openLockFile(directory: string): LockFile {
  let directoryDescriptor: number | undefined;
  try {
    directoryDescriptor = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    return { ...openForLocking(path.join(pathOf(directoryDescriptor), LOCK_FILE)), directoryDescriptor };
  } catch (error) {
    if (directoryDescriptor !== undefined) fs.closeSync(directoryDescriptor);
    throw unusable(directory, error);
  }
}

function openForLocking(file: string): Omit<LockFile, 'directoryDescriptor'> {
  try {
    return { descriptor: fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600), writable: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
    return { descriptor: fs.openSync(file, 'r'), writable: false };
  }
}

function closeLockFile({ descriptor, directoryDescriptor }: LockFile): void {
  fs.closeSync(descriptor);
  fs.closeSync(directoryDescriptor);
}

const readHolder = (descriptor: number): LockHolder | undefined => {
  const content = Buffer.alloc(HOLDER_BYTES_MAX);
  const length = fs.readSync(descriptor, content, 0, content.length, 0);
  return parseHolder(content.toString('utf8', 0, length));
};

/** The holder that a lock file names; undefined when it names none. */
export const parseHolder = (content: string): LockHolder | undefined => {
  let value: Partial<Record<keyof LockHolder, unknown>> | null;
  try {
    value = JSON.parse(content);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const { pid, command, mountPoint, startedAt, host } = value;
  const complete =
    Number.isSafeInteger(pid) && [command, mountPoint, startedAt, host].every((field) => typeof field === 'string');
  return complete ? ({ pid, command, mountPoint, startedAt, host } as LockHolder) : undefined;
};

const inUse = (directory: string, holder: LockHolder | undefined): StoreError => {
  const wait = 'Wait for it to finish, or use another store with --store DIR.';
  if (holder === undefined) {
    return new StoreError('in-use', `The store ${directory} is in use by another process.`, wait);
  }
  const elsewhere = holder.host === os.hostname() ? '' : ` on ${holder.host}`;
  const who = `process ${holder.pid}${elsewhere} (${holder.command}), started ${holder.startedAt}`;
  if (holder.mountPoint === '') return new StoreError('in-use', `The store ${directory} is in use by ${who}.`, wait);
  return new StoreError(
    'in-use',
    `The store ${directory} is in use: mounted at ${holder.mountPoint} by ${who}.`,
    `Unmount it with \`razorfs umount ${holder.mountPoint}\`, or use another store with --store DIR.`,
  );
};

const unusable = (directory: string, error: unknown): StoreError => {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return new StoreError(
        'no-permission',
        `The store ${directory} cannot be locked: permission denied.`,
        'Try again as its owner or as root, or name another directory with --store DIR.',
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError(
        'no-space',
        `The store ${directory} cannot be locked: no space is left on its disk.`,
        'Free some space there and try again.',
      );
    case 'ENOENT':
    case 'ENOTDIR':
      return new StoreError('not-a-store', `${directory} is not a store: it has no lock file, and none can be made.`);
    default:
      return new StoreError('io-error', `The store ${directory} cannot be locked: ${code}.`);
  }
};
