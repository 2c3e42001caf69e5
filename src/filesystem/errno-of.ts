/**
 * The errno that a caller sees for whatever an operation threw.
 */
import { constants } from 'node:os';
import { CorruptionError } from '../errors/corruption.js';
import { EIO, Errno } from '../errors/errno.js';
import { DiskError } from '../store/disk.js';

/**
 * Host errors that mean to the caller what they mean on the host. Any other failure of the store's files (EBADF, ENOENT,
 * EACCES, …) is not the caller's doing and reads as EIO.
 */
const PASSED_ON: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'ENOMEM', 'EFBIG']);

const numberOf = constants.errno as Readonly<Record<string, number>>;

/** The positive errno number for an error; EIO for damage and for all that was not foreseen. */
export function errnoOf(error: unknown): number {
  if (error instanceof Errno) {
    return error.number;
  }
  if (error instanceof CorruptionError) {
    return EIO.number;
  }
  if (error instanceof DiskError && PASSED_ON.has(error.code)) {
    return numberOf[error.code] ?? EIO.number;
  }
  return EIO.number;
}
