/**
 * Requests about the connection as a whole, and those that only end something: INIT, DESTROY, FORGET, RELEASE, STATFS, SYNCFS.
 */
import { EINVAL } from '../../errors/errno.js';
import { asIno } from '../../store/units.js';
import { fuse_batch_forget_in, fuse_forget_one, fuse_init_out, fuse_kstatfs } from '../abi-structs.js';
import { FuseError } from '../fuse-error.js';
import { negotiate } from '../negotiation.js';
import { NO_REPLY } from '../operation.js';
import { PAYLOAD } from '../reply.js';
import { BODY } from '../request.js';
import type { Service } from '../service.js';

export function init(service: Service): number {
  const { options } = service;
  try {
    if (negotiate(service.request, service.reply, options.writebackCache)) {
      options.onInitialised();
    }
  } catch (error) {
    if (!(error instanceof FuseError)) {
      throw error;
    }
    options.onRefused(error);
    throw EINVAL;
  }
  return fuse_init_out.sizeof;
}

/** The last request before the end, of mounts on block devices only. */
export function destroy(): number {
  return 0;
}

/** Comes after CREATE until the kernel has learnt that OPEN is not needed. */
export function release(): number {
  return 0;
}

export function forget(service: Service): number {
  const { request } = service;
  service.references.givenBack(request.node(), request.u64(BODY));
  return NO_REPLY;
}

const FORGET_FIRST = BODY + fuse_batch_forget_in.sizeof;

export function batchForget(service: Service): number {
  const { request } = service;
  const fitting = Math.floor((request.length - FORGET_FIRST) / fuse_forget_one.sizeof);
  const end = FORGET_FIRST + Math.min(request.u32(BODY), fitting) * fuse_forget_one.sizeof;
  for (let at = FORGET_FIRST; at < end; at += fuse_forget_one.sizeof) {
    try {
      service.references.givenBack(asIno(request.u64(at)), request.u64(at + fuse_forget_one.nlookup));
    } catch (error) {
      // One inode that cannot be found any more must not keep the others.
      service.options.failures.report(error);
    }
  }
  return NO_REPLY;
}

export function statfs(service: Service): number {
  service.filesystem.statistics(service.request.node(), service.statistics);
  service.reply.statistics(PAYLOAD, service.statistics);
  return fuse_kstatfs.sizeof;
}

/** syncfs(2): everything logged so far becomes durable. */
export function syncfs(service: Service): number {
  return service.replyLater(
    service.smallReply(),
    service.filesystem.syncDirectory(service.request.node()).then(() => 0),
  );
}
