/**
 * The requests of the kernel, as a table by opcode: how long the body must at least be, what serves it, and whether it may change
 * the store. A request that is not here is answered with ENOSYS, after which the kernel does not send its kind again.
 *
 * ENOSYS is the right answer, not a missing feature, where this file system has nothing to do:
 * - OPEN, OPENDIR: files are known by their inode number, so there is no handle to make. The kernel then opens by itself, keeps
 *   cached data and directories over the open, and sends no RELEASE either (FUSE_NO_OPEN_SUPPORT, FUSE_NO_OPENDIR_SUPPORT).
 * - FLUSH: close(2) has nothing to tell. The kernel writes dirty pages back before it would send one.
 * - INTERRUPT: nothing waits for long enough but fsync, which is as uninterruptible as on other file systems.
 * - ACCESS: the kernel checks permissions itself (default_permissions).
 */
import { ENOSYS } from '../errors/errno.js';
import { OPCODE_LIMIT, Opcode } from './abi.js';
import {
  fuse_batch_forget_in,
  fuse_copy_file_range_in,
  fuse_create_in,
  fuse_fallocate_in,
  fuse_forget_in,
  fuse_fsync_in,
  fuse_getxattr_in,
  fuse_link_in,
  fuse_lseek_in,
  fuse_mkdir_in,
  fuse_mknod_in,
  fuse_read_in,
  fuse_rename_in,
  fuse_rename2_in,
  fuse_setattr_in,
  fuse_setxattr_in_short,
  fuse_statx_in,
  fuse_write_in,
} from './abi-structs.js';
import * as applied from './handlers/applied.js';
import * as attributes from './handlers/attributes.js';
import * as connection from './handlers/connection.js';
import * as data from './handlers/data.js';
import * as names from './handlers/names.js';
import * as xattrs from './handlers/xattrs.js';
import { INIT_BYTES_MIN } from './negotiation.js';
import { type Handler, NO_REPLY, type Operation } from './operation.js';

/** A name of one byte and its NUL. */
const NAME_MIN = 2;

const table = new Array<Operation | undefined>(OPCODE_LIMIT).fill(undefined);

const reads = (opcode: number, bodyBytesMin: number, handler: Handler) => {
  table[opcode] = { bodyBytesMin, handler, applied: undefined, changes: false, noReply: false };
};
const changes = (opcode: number, bodyBytesMin: number, handler: Handler, whenApplied?: Handler) => {
  table[opcode] = { bodyBytesMin, handler, applied: whenApplied, changes: true, noReply: false };
};
const isSilent = (opcode: number, bodyBytesMin: number, handler: Handler) => {
  table[opcode] = { bodyBytesMin, handler, applied: undefined, changes: false, noReply: true };
};
const refuses = (opcode: number) => {
  reads(opcode, 0, () => {
    throw ENOSYS;
  });
};

reads(Opcode.INIT, INIT_BYTES_MIN, connection.init);
reads(Opcode.DESTROY, 0, connection.destroy);
reads(Opcode.STATFS, 0, connection.statfs);
reads(Opcode.SYNCFS, 0, connection.syncfs);
isSilent(Opcode.FORGET, fuse_forget_in.sizeof, connection.forget);
isSilent(Opcode.BATCH_FORGET, fuse_batch_forget_in.sizeof, connection.batchForget);
isSilent(Opcode.NOTIFY_REPLY, 0, () => NO_REPLY);
refuses(Opcode.INTERRUPT);

reads(Opcode.LOOKUP, NAME_MIN, names.lookup);
reads(Opcode.READLINK, 0, names.readlink);
changes(Opcode.MKNOD, fuse_mknod_in.sizeof + NAME_MIN, names.mknod, applied.mknod);
changes(Opcode.MKDIR, fuse_mkdir_in.sizeof + NAME_MIN, names.mkdir, applied.mkdir);
changes(Opcode.SYMLINK, NAME_MIN + NAME_MIN, names.symlink, applied.symlink);
changes(Opcode.LINK, fuse_link_in.sizeof + NAME_MIN, names.link, applied.link);
changes(Opcode.CREATE, fuse_create_in.sizeof + NAME_MIN, names.create, applied.create);
changes(Opcode.TMPFILE, fuse_create_in.sizeof, names.tmpfile);
changes(Opcode.UNLINK, NAME_MIN, names.unlink, applied.done);
changes(Opcode.RMDIR, NAME_MIN, names.rmdir, applied.done);
changes(Opcode.RENAME, fuse_rename_in.sizeof + NAME_MIN + NAME_MIN, names.rename, applied.done);
changes(Opcode.RENAME2, fuse_rename2_in.sizeof + NAME_MIN + NAME_MIN, names.rename2, applied.done);
reads(Opcode.READDIR, fuse_read_in.sizeof, names.readdir);
reads(Opcode.READDIRPLUS, fuse_read_in.sizeof, names.readdirplus);
reads(Opcode.FSYNCDIR, fuse_fsync_in.sizeof, names.fsyncdir);
reads(Opcode.RELEASEDIR, 0, connection.release);
refuses(Opcode.OPENDIR);

reads(Opcode.GETATTR, 0, attributes.getattr);
reads(Opcode.STATX, fuse_statx_in.sizeof, attributes.statx);
changes(Opcode.SETATTR, fuse_setattr_in.sizeof, attributes.setattr);
refuses(Opcode.ACCESS);

reads(Opcode.READ, fuse_read_in.sizeof, data.read);
changes(Opcode.WRITE, fuse_write_in.sizeof, data.write);
changes(Opcode.FALLOCATE, fuse_fallocate_in.sizeof, data.fallocate);
reads(Opcode.LSEEK, fuse_lseek_in.sizeof, data.lseek);
changes(Opcode.COPY_FILE_RANGE, fuse_copy_file_range_in.sizeof, data.copyFileRange);
changes(Opcode.COPY_FILE_RANGE_64, fuse_copy_file_range_in.sizeof, data.copyFileRange64);
reads(Opcode.FSYNC, fuse_fsync_in.sizeof, data.fsync);
reads(Opcode.RELEASE, 0, connection.release);
refuses(Opcode.OPEN);
refuses(Opcode.FLUSH);

reads(Opcode.GETXATTR, fuse_getxattr_in.sizeof + NAME_MIN, xattrs.getxattr);
reads(Opcode.LISTXATTR, fuse_getxattr_in.sizeof, xattrs.listxattr);
changes(Opcode.SETXATTR, fuse_setxattr_in_short.sizeof + NAME_MIN, xattrs.setxattr, applied.done);
changes(Opcode.REMOVEXATTR, NAME_MIN, xattrs.removexattr, applied.done);

/** By opcode. */
export const OPERATIONS: readonly (Operation | undefined)[] = table;
