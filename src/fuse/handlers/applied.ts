/**
 * Answers to requests that the kernel sends again because the process that made their change died before it answered. Only
 * requests that would fail or do harm when they were served twice are here; the others, such as WRITE, are simply served.
 */
import { FOPEN_KEEP_CACHE } from '../abi.js';
import { fuse_create_in, fuse_link_in, fuse_mkdir_in, fuse_mknod_in, fuse_open_out } from '../abi-structs.js';
import type { Handler } from '../operation.js';
import { PAYLOAD } from '../reply.js';
import { BODY } from '../request.js';
import type { Service } from '../service.js';

/** The entry that was made: nobody else can have removed it, as the kernel keeps the directory locked until the answer. */
function replyMade(service: Service, structSize: number): number {
  const { request, attributes } = service;
  service.filesystem.lookup(request.node(), request.name(BODY + structSize), attributes);
  return service.replyEntry();
}

export const mknod: Handler = (service) => replyMade(service, fuse_mknod_in.sizeof);
export const mkdir: Handler = (service) => replyMade(service, fuse_mkdir_in.sizeof);
export const symlink: Handler = (service) => replyMade(service, 0);
export const link: Handler = (service) => replyMade(service, fuse_link_in.sizeof);

export const create: Handler = (service) => {
  const entryLength = replyMade(service, fuse_create_in.sizeof);
  service.reply.open(PAYLOAD + entryLength, FOPEN_KEEP_CACHE);
  return entryLength + fuse_open_out.sizeof;
};

/** UNLINK, RMDIR, RENAME, SETXATTR, REMOVEXATTR: success has no payload. */
export const done: Handler = () => 0;
