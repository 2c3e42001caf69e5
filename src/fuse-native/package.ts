/**
 * The npm package fuse-native, typed: loaded only when a mount asks for it, from the directory where the set-up
 * (tools/build.mjs --fuse-native) puts it. It is linked with libfuse 2, which the system must have.
 *
 * What is told here of its inside is that of version 2.2.6, the last one, which tools/fuse-native/package-lock.json names. The rest
 * of this layer relies on nothing but these types.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FuseNativeError } from './fuse-native-error.js';

/** `result` is 0 or a negative errno; for reading, writing and the lengths of attributes also a number of bytes. */
export type Done = (result: number) => void;
export type DoneWith<T> = (result: number, value?: T) => void;

/** Attributes as the package takes them. Times in milliseconds since 1970. */
export interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  /** The package keeps the low 32 bits. */
  readonly ino: number;
  readonly rdev: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** As statvfs(3), each below 2^32. */
export interface StatFs {
  readonly bsize: number;
  readonly frsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly favail: number;
  readonly namemax: number;
}

/** The callbacks, by the names of libfuse's `struct fuse_operations`. `handle` is what `open` or `create` has given. */
export interface Callbacks {
  getattr(path: string, done: DoneWith<Stat>): void;
  readdir(path: string, done: (result: number, names?: string[], stats?: Stat[]) => void): void;
  readlink(path: string, done: DoneWith<string>): void;
  mknod(path: string, mode: number, rdev: number, done: Done): void;
  mkdir(path: string, mode: number, done: Done): void;
  symlink(target: string, path: string, done: Done): void;
  link(path: string, newPath: string, done: Done): void;
  unlink(path: string, done: Done): void;
  rmdir(path: string, done: Done): void;
  rename(path: string, newPath: string, done: Done): void;
  chmod(path: string, mode: number, done: Done): void;
  /** 0xffff_ffff leaves a number as it is. */
  chown(path: string, uid: number, gid: number, done: Done): void;
  /** Milliseconds since 1970; see `withModificationTime`. */
  utimens(path: string, atime: number, mtime: number, done: Done): void;
  truncate(path: string, size: number, done: Done): void;
  ftruncate(path: string, handle: number, size: number, done: Done): void;
  create(path: string, mode: number, done: DoneWith<number>): void;
  open(path: string, flags: number, done: DoneWith<number>): void;
  read(path: string, handle: number, into: Buffer, length: number, position: number, done: Done): void;
  write(path: string, handle: number, from: Buffer, length: number, position: number, done: Done): void;
  release(path: string, handle: number, done: Done): void;
  fsync(path: string, dataOnly: number, handle: number, done: Done): void;
  fsyncdir(path: string, dataOnly: number, handle: number, done: Done): void;
  setxattr(path: string, name: string, value: Buffer, position: number, flags: number, done: Done): void;
  /** Answers the length of the value, and fills `into` unless that is empty. */
  getxattr(path: string, name: string, into: Buffer, done: Done): void;
  /** Answers the length of all names with their NULs, and fills `into` unless that is empty. */
  listxattr(path: string, into: Buffer, done: Done): void;
  removexattr(path: string, name: string, done: Done): void;
  statfs(path: string, done: DoneWith<StatFs>): void;
}

/** A mount of the package. */
export interface FuseMount {
  /** Mounts; done with an error when that fails, otherwise once the kernel has been answered. */
  mount(done: (error: Error | null) => void): void;
}

/** The parts of the package's class that are used, the inner ones (with `_`) included. */
interface Fuse extends FuseMount {
  _fuseOptions(): string;
  /** By the package's number of the operation: the record of the call, the number, and what the operation takes. */
  readonly _handlers: ((record: Buffer, operation: number, ...details: unknown[]) => void)[];
  _op_getxattr(signal: BufferSignal, path: string, name: string, into: Buffer): void;
  _op_listxattr(signal: BufferSignal, path: string, into: Buffer): void;
}
type BufferSignal = (result: number, buffer: ArrayBufferLike) => void;
type FuseClass = new (mountPoint: string, callbacks: Partial<Callbacks>, options: { readonly timeout: false }) => Fuse;

/** The number of utimens among the package's operations (op_utimens in fuse-native.c). */
const UTIMENS = 12;
/**
 * Where the record of a call (`fuse_thread_locals_t`, 64-bit) has the time of modification: 64 bits, milliseconds, which may be
 * negative.
 */
const RECORD_ATIME = 104;
const RECORD_MTIME = 112;

/** Where the set-up puts the package: build/fuse-native. */
const DIRECTORY = fileURLToPath(new URL('../../fuse-native', import.meta.url));
const INSTALL_LIBFUSE = 'Install it (on Debian and Ubuntu: apt-get install libfuse2), or leave --transport out.';

export class FuseNative {
  readonly #fuse: FuseClass;

  private constructor(fuse: FuseClass) {
    this.#fuse = fuse;
  }

  /** Loads the package. Throws `FuseNativeError` when it, or libfuse 2, is not there. */
  static load(directory: string = DIRECTORY): FuseNative {
    if (process.arch !== 'x64') {
      const message = `The package fuse-native has no build for this kind of processor (${process.arch}).`;
      throw new FuseNativeError('no-package', message, 'Leave --transport out.');
    }
    if (!existsSync(path.join(directory, 'node_modules/fuse-native/package.json'))) {
      const setUp = path.resolve(directory, '../../tools/build.mjs');
      throw new FuseNativeError(
        'no-package',
        'The package fuse-native is not installed.',
        `Install it with: node ${setUp} --fuse-native`,
      );
    }
    try {
      return new FuseNative(createRequire(path.join(directory, 'package.json'))('fuse-native') as FuseClass);
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
      throw reason.includes('libfuse.so')
        ? new FuseNativeError('no-libfuse2', 'libfuse 2 is not installed, which fuse-native needs.', INSTALL_LIBFUSE)
        : new FuseNativeError('no-package', `The package fuse-native does not load: ${reason}.`);
    }
  }

  /** A mount to be made. `options`: the words after -o, as libfuse 2 takes them. */
  prepare(mountPoint: string, options: string, callbacks: Callbacks): FuseMount {
    // The package itself would give up on calls after 15 s, however slow the disk is.
    const fuse = new this.#fuse(mountPoint, callbacks, { timeout: false });
    // Its own list of options knows neither big_writes nor use_ino nor most of mount(8).
    fuse._fuseOptions = () => `-o${options}`;
    // Its own two answer with more bytes than the caller has room for.
    fuse._op_getxattr = (signal, path, name, into) =>
      callbacks.getxattr(path, name, into, (result) => signal(result, into.buffer));
    fuse._op_listxattr = (signal, path, into) =>
      callbacks.listxattr(path, into, (result) => signal(result, into.buffer));
    withModificationTime(fuse);
    return fuse;
  }
}

/**
 * The package hands the time of access to utimens twice, in the place of the time of modification too, so that is taken from the
 * record of the call.
 */
function withModificationTime(fuse: Fuse): void {
  const handler = fuse._handlers[UTIMENS]!;
  const halves = (record: Buffer, at: number): [number, number] => [
    record.readUInt32LE(at),
    record.readInt32LE(at + 4),
  ];
  fuse._handlers[UTIMENS] = (record, operation, path) =>
    handler(record, operation, path, ...halves(record, RECORD_ATIME), ...halves(record, RECORD_MTIME));
}
