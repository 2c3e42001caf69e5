/**
 * One process at a time on a store: flock(2) on <store>/lock, whose content names the holder.
 *
 * Invariants:
 * - Only the flock says whether the store is in use; the content is for people, and may be left over from a dead process.
 * - The file is never removed: a second process could then lock a new file of the same name.
 * - The kernel releases the lock when the last process that has the descriptor dies, in whatever way.
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

/** The lock on a store that this process holds. */
export class StoreLock {
  /** Inherited by a child process, it keeps the store locked until both have closed it. */
  readonly descriptor: number;
  readonly #writable: boolean;

  private constructor(descriptor: number, writable: boolean) {
    this.descriptor = descriptor;
    this.#writable = writable;
  }

  /**
   * Takes the lock of the store in `directory`, which exists, or throws `StoreError('in-use')`. `mountPoint` is empty for a
   * program that does not mount.
   */
  static acquire(directory: string, command: string, mountPoint: string): StoreLock {
    const { descriptor, writable } = openLockFile(directory);
    for (let attempt = 1; !tryLockExclusive(descriptor); attempt++) {
      if (attempt < ATTEMPTS) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ATTEMPT_INTERVAL_MS);
        continue;
      }
      const holder = readHolder(descriptor);
      fs.closeSync(descriptor);
      throw inUse(directory, holder);
    }
    const lock = new StoreLock(descriptor, writable);
    lock.#nameHolder(command, mountPoint);
    return lock;
  }

  /** Takes over a lock that another process has acquired and shares with this one through an inherited descriptor. */
  static adopt(descriptor: number, command: string, mountPoint: string): StoreLock {
    const lock = new StoreLock(descriptor, true);
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

const openLockFile = (directory: string): { descriptor: number; writable: boolean } => {
  const file = path.join(directory, LOCK_FILE);
  try {
    return { descriptor: fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600), writable: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw unusable(directory, error);
  }
  try {
    return { descriptor: fs.openSync(file, 'r'), writable: false };
  } catch (error) {
    throw unusable(directory, error);
  }
};

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
