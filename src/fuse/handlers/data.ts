/**
 * Requests about a file's data. Reads land in the reply itself, writes are taken from the request, so nothing is copied here.
 */
import { EFBIG, EINVAL, EIO, ENXIO } from '../../errors/errno.js';
import { DELIVERED, SEEK_DATA, SEEK_HOLE } from '../../filesystem/operations.js';
import { asIno } from '../../store/units.js';
import { FUSE_WRITE_CACHE, FUSE_WRITE_KILL_SUIDGID } from '../abi.js';
import {
  fuse_copy_file_range_in,
  fuse_copy_file_range_out,
  fuse_fallocate_in,
  fuse_lseek_in,
  fuse_lseek_out,
  fuse_read_in,
  fuse_write_in,
  fuse_write_out,
} from '../abi-structs.js';
import { DATA_BYTES_MAX } from '../negotiation.js';
import { invalidateInode } from '../notify.js';
import { NO_REPLY } from '../operation.js';
import { PAYLOAD } from '../reply.js';
import { BODY } from '../request.js';
import type { Service } from '../service.js';

const READ_OFFSET = BODY + fuse_read_in.offset;
const READ_SIZE = BODY + fuse_read_in.size;
const WRITE_OFFSET = BODY + fuse_write_in.offset;
const WRITE_SIZE = BODY + fuse_write_in.size;
const WRITE_FLAGS = BODY + fuse_write_in.write_flags;
const WRITE_DATA = BODY + fuse_write_in.sizeof;

/** The most that copy_file_range(2) and write(2) move at once (MAX_RW_COUNT), which fits the reply's 32 bits. */
const COPY_BYTES_MAX = 0x7fff_f000;

export function read(service: Service): number {
  const { request } = service;
  const size = request.u32(READ_SIZE);
  const position = request.u64(READ_OFFSET);
  if (size > DATA_BYTES_MAX) {
    throw EINVAL;
  }
  const { reply } = service;
  const length = service.filesystem.read(request.node(), position, size, reply.bytes, PAYLOAD, service.delivery);
  if (typeof length === 'number') {
    return length === DELIVERED ? NO_REPLY : length;
  }
  return service.replyLater(service.detachReply(), length);
}

/** Answers a WRITE: all was written. */
function written({ request, reply }: Service): number {
  reply.u64(PAYLOAD, request.u32(WRITE_SIZE));
  return fuse_write_out.sizeof;
}

export function write(service: Service): number {
  const { request } = service;
  const size = request.u32(WRITE_SIZE);
  const position = request.u64(WRITE_OFFSET, EFBIG);
  const flags = request.u32(WRITE_FLAGS);
  const killPrivileges = (flags & FUSE_WRITE_KILL_SUIDGID) !== 0;
  const isTimed = service.options.writebackCache && (flags & FUSE_WRITE_CACHE) !== 0;
  if (size > request.length - WRITE_DATA) {
    throw EINVAL;
  }
  if (position + size > Number.MAX_SAFE_INTEGER) {
    throw EFBIG;
  }
  const { bytes, caller } = request;
  return service.answerOnceLogged(written, () =>
    service.filesystem.write(request.node(), position, size, bytes, WRITE_DATA, killPrivileges, caller, isTimed),
  );
}

export function fallocate(service: Service): number {
  const { request } = service;
  const position = request.u64(BODY + fuse_fallocate_in.offset, EFBIG);
  const length = request.u64(BODY + fuse_fallocate_in.length, EFBIG);
  if (position + length > Number.MAX_SAFE_INTEGER) {
    throw EFBIG;
  }
  const mode = request.u32(BODY + fuse_fallocate_in.mode);
  service.filesystem.allocate(request.node(), mode, position, length, request.caller);
  return 0;
}

/**
 * With the writeback cache the kernel asks this without having written its dirty pages back, which would read as a hole and be
 * skipped by whoever copies the file. So they are called in first.
 */
export function lseek(service: Service): number {
  const { request, filesystem, options } = service;
  const ino = request.node();
  const position = request.u64(BODY + fuse_lseek_in.offset, ENXIO);
  const whence = request.u32(BODY + fuse_lseek_in.whence);
  if (whence !== SEEK_DATA && whence !== SEEK_HOLE) {
    throw EINVAL;
  }
  if (!options.writebackCache) {
    service.reply.u64(PAYLOAD, filesystem.seek(ino, position, whence));
    return fuse_lseek_out.sizeof;
  }
  const reply = service.smallReply();
  const seekWrittenBack = async () => {
    const errno = await options.notify(invalidateInode(ino, 0, 0));
    if (errno !== 0) {
      throw EIO;
    }
    reply.u64(PAYLOAD, filesystem.seek(ino, position, whence));
    return fuse_lseek_out.sizeof;
  };
  return service.replyLater(reply, seekWrittenBack());
}

function copyRange(service: Service): number {
  const { request } = service;
  const fromPosition = request.u64(BODY + fuse_copy_file_range_in.off_in);
  const toPosition = request.u64(BODY + fuse_copy_file_range_in.off_out, EFBIG);
  const length = Math.min(request.u64(BODY + fuse_copy_file_range_in.len), COPY_BYTES_MAX);
  const to = asIno(request.u64(BODY + fuse_copy_file_range_in.nodeid_out));
  if (request.u64(BODY + fuse_copy_file_range_in.flags) !== 0) {
    throw EINVAL;
  }
  if (toPosition + length > Number.MAX_SAFE_INTEGER) {
    throw EFBIG;
  }
  return service.filesystem.copyRange(request.node(), fromPosition, to, toPosition, length, request.caller);
}

/** Answers with a fuse_write_out. */
export function copyFileRange(service: Service): number {
  service.reply.u64(PAYLOAD, copyRange(service));
  return fuse_write_out.sizeof;
}

/** Answers with a fuse_copy_file_range_out. */
export function copyFileRange64(service: Service): number {
  service.reply.u64(PAYLOAD, copyRange(service));
  return fuse_copy_file_range_out.sizeof;
}

export function fsync(service: Service): number {
  const { filesystem } = service;
  const node = service.request.node();
  return service.replyWhenDurable(node, () => filesystem.sync(node));
}
