/**
 * Requests about extended attributes. A `size` of 0 asks how much room the answer would need (getxattr(2), listxattr(2)).
 */
import { ENODATA, ERANGE } from '../../errors/errno.js';
import { isTrusted } from '../../filesystem/extended-attributes.js';
import { FUSE_SETXATTR_ACL_KILL_SGID } from '../abi.js';
import { fuse_getxattr_in, fuse_getxattr_out, fuse_setxattr_in, fuse_setxattr_in_short } from '../abi-structs.js';
import { PAYLOAD } from '../reply.js';
import { BODY, type Request } from '../request.js';
import type { Service } from '../service.js';

function replyLength(service: Service, length: number): number {
  service.reply.u64(PAYLOAD, length);
  return fuse_getxattr_out.sizeof;
}

export function getxattr(service: Service): number {
  const { request } = service;
  const size = request.u32(BODY + fuse_getxattr_in.size);
  const name = request.name(BODY + fuse_getxattr_in.sizeof);
  const value = service.filesystem.findExtendedAttribute(request.node(), name);
  if (value === undefined) {
    return service.refuse(ENODATA);
  }
  if (size === 0) {
    return replyLength(service, value.length);
  }
  if (value.length > size) {
    throw ERANGE;
  }
  service.reply.bytes.set(value, PAYLOAD);
  return value.length;
}

/** The names one after the other, each with a NUL. */
export function listxattr(service: Service): number {
  const { request, reply } = service;
  const size = request.u32(BODY + fuse_getxattr_in.size);
  const all = service.filesystem.listExtendedAttributes(request.node());
  const names = request.caller.uid === 0 ? all : all.filter((name) => !isTrusted(name));
  const length = names.reduce((sum, name) => sum + name.length + 1, 0);
  if (size === 0) {
    return replyLength(service, length);
  }
  if (length > size || length > reply.bytes.length - PAYLOAD) {
    throw ERANGE;
  }
  let at = PAYLOAD;
  for (const name of names) {
    reply.bytes.set(name, at);
    reply.bytes[at + name.length] = 0;
    at += name.length + 1;
  }
  return length;
}

/** The body is the struct, the name with its NUL, then `size` bytes of value. */
export function setxattr(service: Service): number {
  const { request } = service;
  const size = request.u32(BODY + fuse_setxattr_in.size);
  const flags = request.u32(BODY + fuse_setxattr_in.flags);
  const isExtended = isExtendedSetxattr(request, size);
  const nameAt = BODY + (isExtended ? fuse_setxattr_in : fuse_setxattr_in_short).sizeof;
  const name = request.name(nameAt);
  const value = request.data(nameAt + name.length + 1, size);
  const extendedFlags = isExtended ? request.u32(BODY + fuse_setxattr_in.setxattr_flags) : 0;
  const killSetgid = (extendedFlags & FUSE_SETXATTR_ACL_KILL_SGID) !== 0;
  service.filesystem.setExtendedAttribute(request.node(), name, value, flags, killSetgid, request.caller);
  return 0;
}

/**
 * Which of the two forms a request has, told by the request itself, so that a process which takes over a connection need not know
 * what was agreed on: only in the short form does a name begin at its place and the message end where the value does.
 */
function isExtendedSetxattr(request: Request, size: number): boolean {
  const shortName = BODY + fuse_setxattr_in_short.sizeof;
  const nul = request.bytes.indexOf(0, shortName);
  return nul === shortName || nul + 1 + size !== request.length;
}

export function removexattr(service: Service): number {
  const { request } = service;
  service.filesystem.removeExtendedAttribute(request.node(), request.name(BODY), request.caller);
  return 0;
}
