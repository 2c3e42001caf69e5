/**
 * Requests about an inode's attributes: GETATTR, STATX, SETATTR.
 */
import { EFBIG, EINVAL } from '../../errors/errno.js';
import type { AttributeChanges, TimeChange } from '../../filesystem/operations.js';
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_CTIME,
  FATTR_GID,
  FATTR_KILL_SUIDGID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
} from '../abi.js';
import { fuse_attr_out, fuse_setattr_in, fuse_statx_out } from '../abi-structs.js';
import { PAYLOAD } from '../reply.js';
import { BODY, type Request } from '../request.js';
import type { Service } from '../service.js';

const PERMISSIONS = 0o7777;
const NANOSECONDS_LIMIT = 1_000_000_000;

function answer({ reply, attributes }: Service): number {
  reply.attributesReply(PAYLOAD, attributes);
  return fuse_attr_out.sizeof;
}

export function getattr(service: Service): number {
  service.filesystem.getAttributes(service.request.node(), service.attributes);
  return answer(service);
}

/** Sent instead of GETATTR when the caller wants the time of creation. */
export function statx(service: Service): number {
  service.filesystem.getAttributes(service.request.node(), service.attributes);
  service.reply.statx(PAYLOAD, service.attributes);
  return fuse_statx_out.sizeof;
}

function timeAt(request: Request, secondsAt: number, nanosecondsAt: number): TimeChange {
  const seconds = request.s64(BODY + secondsAt);
  const nanoseconds = request.u32(BODY + nanosecondsAt);
  if (nanoseconds >= NANOSECONDS_LIMIT) {
    throw EINVAL;
  }
  return { seconds, nanoseconds };
}

/** `isTimed`: the kernel keeps the times, and sends those that move with a size. */
function requestedChanges(request: Request, isTimed: boolean): AttributeChanges {
  const valid = request.u32(BODY + fuse_setattr_in.valid);
  const changes: AttributeChanges = { isTimed };
  if ((valid & FATTR_MODE) !== 0) {
    changes.mode = request.u32(BODY + fuse_setattr_in.mode) & PERMISSIONS;
  }
  if ((valid & FATTR_UID) !== 0) {
    changes.uid = request.u32(BODY + fuse_setattr_in.uid);
  }
  if ((valid & FATTR_GID) !== 0) {
    changes.gid = request.u32(BODY + fuse_setattr_in.gid);
  }
  if ((valid & FATTR_SIZE) !== 0) {
    changes.size = request.u64(BODY + fuse_setattr_in.size, EFBIG);
  }
  if ((valid & FATTR_ATIME_NOW) !== 0) {
    changes.atime = 'now';
  } else if ((valid & FATTR_ATIME) !== 0) {
    changes.atime = timeAt(request, fuse_setattr_in.atime, fuse_setattr_in.atimensec);
  }
  if ((valid & FATTR_MTIME_NOW) !== 0) {
    changes.mtime = 'now';
  } else if ((valid & FATTR_MTIME) !== 0) {
    changes.mtime = timeAt(request, fuse_setattr_in.mtime, fuse_setattr_in.mtimensec);
  }
  if ((valid & FATTR_CTIME) !== 0) {
    changes.ctime = timeAt(request, fuse_setattr_in.ctime, fuse_setattr_in.ctimensec);
  }
  // With FUSE_HANDLE_KILLPRIV_V2 the kernel says so for sizes, and leaves changes of owner to the file system.
  if ((valid & (FATTR_KILL_SUIDGID | FATTR_UID | FATTR_GID)) !== 0) {
    changes.killPrivileges = true;
  }
  return changes;
}

export function setattr(service: Service): number {
  const { request, attributes, options } = service;
  return service.answerOnceLogged(answer, () => {
    const changes = requestedChanges(request, options.writebackCache);
    service.filesystem.setAttributes(request.node(), changes, request.caller, attributes);
  });
}
