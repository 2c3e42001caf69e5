/**
 * INIT: what kernel and file system agree on before anything else.
 *
 * Flags that are not asked for, and why:
 * - POSIX_LOCKS, FLOCK_LOCKS: without them the kernel keeps locks itself, which is right while all users are local.
 * - AUTO_INVAL_DATA: nobody else changes the data, so cached pages are never suspect (EXPLICIT_INVAL_DATA says so).
 * - ATOMIC_O_TRUNC: opens are not sent at all, so truncation comes as SETATTR.
 */

import {
  FUSE_ASYNC_DIO,
  FUSE_ASYNC_READ,
  FUSE_BIG_WRITES,
  FUSE_CACHE_SYMLINKS,
  FUSE_DO_READDIRPLUS,
  FUSE_DONT_MASK,
  FUSE_EXPLICIT_INVAL_DATA,
  FUSE_EXPORT_SUPPORT,
  FUSE_HANDLE_KILLPRIV_V2,
  FUSE_HAS_RESEND_FLAG2,
  FUSE_INIT_EXT,
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_MINOR_VERSION_MIN,
  FUSE_KERNEL_VERSION,
  FUSE_MAX_PAGES,
  FUSE_NO_OPEN_SUPPORT,
  FUSE_NO_OPENDIR_SUPPORT,
  FUSE_PARALLEL_DIROPS,
  FUSE_POSIX_ACL,
  FUSE_READDIRPLUS_AUTO,
  FUSE_SETXATTR_EXT,
  FUSE_WRITEBACK_CACHE,
} from './abi.js';
import { fuse_init_in, fuse_init_in_short, fuse_init_out } from './abi-structs.js';
import { FuseError } from './fuse-error.js';
import { PAYLOAD, type Reply } from './reply.js';
import { BODY, type Request } from './request.js';

/** The largest read or write in one request, in bytes. 256 pages are what the kernel allows without a change of sysctl. */
export const DATA_BYTES_MAX = 1 << 20;
const PAGE_BYTES = 4096;
/**
 * The largest read. With its header it must fit a pipe of the size that everybody may have, 256 slots of a page each
 * (native/splice.c), and two make up what the kernel reads ahead, so that one is served while the other is consumed.
 */
export const READ_BYTES_MAX = DATA_BYTES_MAX / 2;

/** Requests (readahead, writeback) that the kernel may have under way without anybody waiting for them. */
const BACKGROUND_MAX = 128;
const BACKGROUND_CONGESTED = 96;

const FLAGS =
  FUSE_ASYNC_READ |
  FUSE_EXPORT_SUPPORT |
  FUSE_BIG_WRITES |
  FUSE_DONT_MASK |
  FUSE_POSIX_ACL |
  FUSE_SETXATTR_EXT |
  FUSE_DO_READDIRPLUS |
  FUSE_READDIRPLUS_AUTO |
  FUSE_ASYNC_DIO |
  FUSE_NO_OPEN_SUPPORT |
  FUSE_PARALLEL_DIROPS |
  FUSE_MAX_PAGES |
  FUSE_CACHE_SYMLINKS |
  FUSE_NO_OPENDIR_SUPPORT |
  FUSE_EXPLICIT_INVAL_DATA |
  FUSE_HANDLE_KILLPRIV_V2 |
  FUSE_INIT_EXT;

const FLAGS2 = FUSE_HAS_RESEND_FLAG2;

/** A kernel that speaks an older protocol than is needed. */
const tooOld = (major: number, minor: number): FuseError =>
  new FuseError(
    'no-fuse',
    `This kernel speaks version ${major}.${minor} of the FUSE protocol, and RazorFS needs ` +
      `${FUSE_KERNEL_VERSION}.${FUSE_KERNEL_MINOR_VERSION_MIN}.`,
    'Use Linux 5.4 or newer.',
  );

/**
 * Answers an INIT with a fuse_init_out in `reply`. False when the kernel is to ask again in our version; throws a FuseError for
 * one that is too old.
 */
export function negotiate(request: Request, reply: Reply, writebackCache: boolean): boolean {
  const major = request.u32(BODY + fuse_init_in.major);
  const minor = request.u32(BODY + fuse_init_in.minor);
  if (major < FUSE_KERNEL_VERSION || (major === FUSE_KERNEL_VERSION && minor < FUSE_KERNEL_MINOR_VERSION_MIN)) {
    throw tooOld(major, minor);
  }
  const at = PAYLOAD;
  reply.zero(at, fuse_init_out.sizeof);
  reply.u32(at + fuse_init_out.major, FUSE_KERNEL_VERSION);
  reply.u32(at + fuse_init_out.minor, FUSE_KERNEL_MINOR_VERSION);
  if (major > FUSE_KERNEL_VERSION) {
    return false;
  }
  const offered = request.u32(BODY + fuse_init_in.flags);
  const isExtended = (offered & FUSE_INIT_EXT) !== 0 && request.length >= BODY + fuse_init_in.sizeof;
  const offered2 = isExtended ? request.u32(BODY + fuse_init_in.flags2) : 0;
  reply.u32(at + fuse_init_out.minor, Math.min(minor, FUSE_KERNEL_MINOR_VERSION));
  reply.u32(at + fuse_init_out.max_readahead, request.u32(BODY + fuse_init_in.max_readahead));
  reply.u32(at + fuse_init_out.flags, offered & (FLAGS | (writebackCache ? FUSE_WRITEBACK_CACHE : 0)));
  reply.u32(at + fuse_init_out.flags2, offered2 & FLAGS2);
  reply.u32(at + fuse_init_out.max_background, BACKGROUND_MAX | (BACKGROUND_CONGESTED << 16));
  reply.u32(at + fuse_init_out.max_write, DATA_BYTES_MAX);
  // Timestamps are exact to the nanosecond.
  reply.u32(at + fuse_init_out.time_gran, 1);
  // The upper half, map_alignment, is for DAX.
  reply.u32(at + fuse_init_out.max_pages, DATA_BYTES_MAX / PAGE_BYTES);
  return true;
}

/** The bytes of an INIT that every version has. */
export const INIT_BYTES_MIN = fuse_init_in_short.sizeof;
