/**
 * Requests about names in directories: finding, making, linking, renaming and removing them, and listing a directory.
 */
import { EINVAL, ESTALE } from '../../errors/errno.js';
import { S_IFREG } from '../../filesystem/attributes.js';
import { asIno } from '../../store/units.js';
import { FOPEN_KEEP_CACHE } from '../abi.js';
import {
  fuse_create_in,
  fuse_entry_out,
  fuse_link_in,
  fuse_mkdir_in,
  fuse_mknod_in,
  fuse_open_out,
  fuse_read_in,
  fuse_rename_in,
  fuse_rename2_in,
} from '../abi-structs.js';
import { DATA_BYTES_MAX } from '../negotiation.js';
import type { Handler } from '../operation.js';
import { PAYLOAD } from '../reply.js';
import { BODY } from '../request.js';
import type { Service } from '../service.js';

/** Permission bits, with setuid, setgid and sticky. */
const PERMISSIONS = 0o7777;

const DOT = 0x2e;

const CREATE_MODE = BODY + fuse_create_in.mode;
const CREATE_UMASK = BODY + fuse_create_in.umask;
const CREATE_NAME = BODY + fuse_create_in.sizeof;
const OFFSET = BODY + fuse_read_in.offset;
const SIZE = BODY + fuse_read_in.size;

/** Answers with the attributes of an entry. */
const entry: Handler = (service) => service.replyEntry();

/** Answers with an entry and what an open file needs. */
const opened: Handler = (service) => {
  const entryLength = service.replyEntry();
  service.reply.open(PAYLOAD + entryLength, FOPEN_KEEP_CACHE);
  return entryLength + fuse_open_out.sizeof;
};

/** Answers without a payload. */
const done: Handler = () => 0;

/**
 * `.` is asked for to find an inode again that the kernel has dropped, for open_by_handle_at(2) and NFS (FUSE_EXPORT_SUPPORT). The
 * node is then any inode, and no directory in particular. One without a name is about to go: the kernel would know it if somebody
 * still used it, and not ask.
 */
export function lookup(service: Service): number {
  const { request, filesystem, attributes } = service;
  const name = request.name(BODY);
  if (name.length === 1 && name[0] === DOT) {
    filesystem.getAttributes(request.node(), attributes);
    if (attributes.nlink === 0) {
      throw ESTALE;
    }
  } else if (!filesystem.find(request.node(), name, attributes)) {
    service.reply.negativeEntry(PAYLOAD);
    return fuse_entry_out.sizeof;
  }
  return service.replyEntry();
}

export function readlink(service: Service): number {
  const target = service.filesystem.readSymlink(service.request.node());
  service.reply.bytes.set(target, PAYLOAD);
  return target.length;
}

export function mknod(service: Service): number {
  const { request, attributes } = service;
  const mode = request.u32(BODY + fuse_mknod_in.mode);
  request.caller.umask = request.u32(BODY + fuse_mknod_in.umask);
  const rdev = request.u32(BODY + fuse_mknod_in.rdev);
  const name = request.name(BODY + fuse_mknod_in.sizeof);
  return service.answerOnceLogged(entry, () =>
    service.filesystem.makeNode(request.node(), name, mode, rdev, request.caller, attributes),
  );
}

export function mkdir(service: Service): number {
  const { request, attributes } = service;
  const mode = request.u32(BODY + fuse_mkdir_in.mode) & PERMISSIONS;
  request.caller.umask = request.u32(BODY + fuse_mkdir_in.umask);
  const name = request.name(BODY + fuse_mkdir_in.sizeof);
  return service.answerOnceLogged(entry, () =>
    service.filesystem.makeDirectory(request.node(), name, mode, request.caller, attributes),
  );
}

/** The body is the name, then the target. */
export function symlink(service: Service): number {
  const { request, attributes } = service;
  const name = request.name(BODY);
  const target = request.name(BODY + name.length + 1);
  return service.answerOnceLogged(entry, () =>
    service.filesystem.makeSymlink(request.node(), name, target, request.caller, attributes),
  );
}

export function link(service: Service): number {
  const { request, attributes } = service;
  const ino = asIno(request.u64(BODY + fuse_link_in.oldnodeid));
  const name = request.name(BODY + fuse_link_in.sizeof);
  service.filesystem.link(ino, request.node(), name, request.caller, attributes);
  return service.replyEntry();
}

export function create(service: Service): number {
  const { request, attributes } = service;
  request.caller.umask = request.u32(CREATE_UMASK);
  const mode = (request.u32(CREATE_MODE) & PERMISSIONS) | S_IFREG;
  return service.answerOnceLogged(opened, () =>
    service.filesystem.makeNode(request.node(), request.name(CREATE_NAME), mode, 0, request.caller, attributes),
  );
}

/** A file without a name; the one in the message has no meaning. */
export function tmpfile(service: Service): number {
  const { request, attributes } = service;
  request.caller.umask = request.u32(CREATE_UMASK);
  const mode = (request.u32(CREATE_MODE) & PERMISSIONS) | S_IFREG;
  return service.answerOnceLogged(opened, () =>
    service.filesystem.makeTemporary(request.node(), mode, request.caller, attributes),
  );
}

export function unlink(service: Service): number {
  const { request } = service;
  return service.answerOnceLogged(done, () =>
    service.filesystem.unlink(request.node(), request.name(BODY), request.caller),
  );
}

export function rmdir(service: Service): number {
  const { request } = service;
  return service.answerOnceLogged(done, () =>
    service.filesystem.removeDirectory(request.node(), request.name(BODY), request.caller),
  );
}

function renameNames(service: Service, namesAt: number, toParent: number, flags: number): number {
  const { request } = service;
  const name = request.name(namesAt);
  const toName = request.name(namesAt + name.length + 1);
  return service.answerOnceLogged(done, () =>
    service.filesystem.rename(request.node(), name, asIno(toParent), toName, flags, request.caller),
  );
}

export function rename(service: Service): number {
  return renameNames(service, BODY + fuse_rename_in.sizeof, service.request.u64(BODY + fuse_rename_in.newdir), 0);
}

export function rename2(service: Service): number {
  const { request } = service;
  const flags = request.u32(BODY + fuse_rename2_in.flags);
  return renameNames(service, BODY + fuse_rename2_in.sizeof, request.u64(BODY + fuse_rename2_in.newdir), flags);
}

function list(service: Service, plus: boolean): number {
  const { request } = service;
  const size = request.u32(SIZE);
  if (size > DATA_BYTES_MAX) {
    throw EINVAL;
  }
  return service.directoryPage.fill(service.reply, request.node(), request.u64(OFFSET), size, plus);
}

export function readdir(service: Service): number {
  return list(service, false);
}

export function readdirplus(service: Service): number {
  return list(service, true);
}

export function fsyncdir(service: Service): number {
  const { filesystem } = service;
  const node = service.request.node();
  return service.replyWhenDurable(node, () => filesystem.syncDirectory(node));
}
