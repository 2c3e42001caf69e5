/**
 * Errno values as throwable constants: what a filesystem operation answers to its caller.
 *
 * The constants are made once and thrown many times, so that a failing lookup costs no stack trace and no allocation.
 * Numbers are those of Linux (asm-generic/errno-base.h and errno.h), which is the only system this project runs on.
 */

/** A refusal that the caller of a filesystem operation sees as errno. Compare by identity: `error === ENOENT`. */
export class Errno extends Error {
  /** The positive errno number, as in errno(3). */
  readonly number: number;
  /** The errno's name, for example `ENOENT`. */
  readonly code: string;

  constructor(code: string, number: number, text: string) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(`${code}: ${text}`);
    Error.stackTraceLimit = limit;
    this.name = 'Errno';
    this.code = code;
    this.number = number;
  }
}

export const EPERM = new Errno('EPERM', 1, 'operation not permitted');
export const ENOENT = new Errno('ENOENT', 2, 'no such file or directory');
export const EINTR = new Errno('EINTR', 4, 'interrupted system call');
export const EIO = new Errno('EIO', 5, 'input/output error');
export const ENXIO = new Errno('ENXIO', 6, 'no such device or address');
export const E2BIG = new Errno('E2BIG', 7, 'argument list too long');
export const EBADF = new Errno('EBADF', 9, 'bad file descriptor');
export const EAGAIN = new Errno('EAGAIN', 11, 'resource temporarily unavailable');
export const ENOMEM = new Errno('ENOMEM', 12, 'out of memory');
export const EACCES = new Errno('EACCES', 13, 'permission denied');
export const EBUSY = new Errno('EBUSY', 16, 'device or resource busy');
export const EEXIST = new Errno('EEXIST', 17, 'file exists');
export const EXDEV = new Errno('EXDEV', 18, 'invalid cross-device link');
export const ENODEV = new Errno('ENODEV', 19, 'no such device');
export const ENOTDIR = new Errno('ENOTDIR', 20, 'not a directory');
export const EISDIR = new Errno('EISDIR', 21, 'is a directory');
export const EINVAL = new Errno('EINVAL', 22, 'invalid argument');
export const EFBIG = new Errno('EFBIG', 27, 'file too large');
export const ENOSPC = new Errno('ENOSPC', 28, 'no space left on device');
export const EROFS = new Errno('EROFS', 30, 'read-only file system');
export const EMLINK = new Errno('EMLINK', 31, 'too many links');
export const ERANGE = new Errno('ERANGE', 34, 'result too large');
export const ENAMETOOLONG = new Errno('ENAMETOOLONG', 36, 'file name too long');
export const ENOSYS = new Errno('ENOSYS', 38, 'function not implemented');
export const ENOTEMPTY = new Errno('ENOTEMPTY', 39, 'directory not empty');
export const ENODATA = new Errno('ENODATA', 61, 'no data available');
export const EILSEQ = new Errno('EILSEQ', 84, 'invalid or incomplete multibyte character');
export const EOPNOTSUPP = new Errno('EOPNOTSUPP', 95, 'operation not supported');
export const ENOTCONN = new Errno('ENOTCONN', 107, 'transport endpoint is not connected');
export const ESTALE = new Errno('ESTALE', 116, 'stale file handle');
export const EDQUOT = new Errno('EDQUOT', 122, 'disk quota exceeded');
