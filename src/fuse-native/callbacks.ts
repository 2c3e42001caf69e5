/**
 * The callbacks of libfuse: each is an operation of `PathOperations`, answered by `Answers`.
 *
 * Not among them, so that the kernel or libfuse does what is right: `access` (default_permissions checks), `flush` (a write is in
 * the volume when it returns), `opendir` (directories are listed at once), `fgetattr` (fuse-native gives it no handle).
 */
import type { Answers } from './answers.js';
import { timeOf } from './attributes.js';
import type { Callbacks } from './package.js';
import type { Listing, PathOperations } from './path-operations.js';

const PERMISSIONS = 0o7777;
/** chown(2): leave it as it is. */
const UNCHANGED = 0xffff_ffff;

export function callbacksOf(operations: PathOperations, answers: Answers): Callbacks {
  return {
    getattr: (path, done) => answers.give(done, () => operations.stat(path)),
    readlink: (path, done) => answers.give(done, () => operations.readSymlink(path)),
    readdir: (path, done) =>
      answers.give<Listing>(
        (result, listing) => done(result, listing?.names, listing?.stats),
        () => operations.list(path),
      ),
    statfs: (path, done) => answers.give(done, () => operations.statistics(path)),

    mknod: (path, mode, rdev, done) => answers.change(done, () => operations.makeNode(path, mode, rdev)),
    mkdir: (path, mode, done) => answers.change(done, () => operations.makeDirectory(path, mode)),
    symlink: (target, path, done) => answers.change(done, () => operations.makeSymlink(target, path)),
    link: (path, newPath, done) => answers.change(done, () => operations.link(path, newPath)),
    unlink: (path, done) => answers.change(done, () => operations.unlink(path)),
    rmdir: (path, done) => answers.change(done, () => operations.removeDirectory(path)),
    rename: (path, newPath, done) => answers.change(done, () => operations.rename(path, newPath)),

    chmod: (path, mode, done) =>
      answers.change(done, () => operations.setAttributes(path, { mode: mode & PERMISSIONS })),
    chown: (path, uid, gid, done) =>
      answers.change(done, () =>
        operations.setAttributes(path, {
          ...(uid === UNCHANGED ? {} : { uid }),
          ...(gid === UNCHANGED ? {} : { gid }),
        }),
      ),
    utimens: (path, atime, mtime, done) =>
      answers.change(done, () => operations.setAttributes(path, { atime: timeOf(atime), mtime: timeOf(mtime) })),
    truncate: (path, size, done) => answers.change(done, () => operations.setAttributes(path, { size })),
    ftruncate: (_path, handle, size, done) => answers.change(done, () => operations.resize(handle, size)),

    create: (path, mode, done) => answers.change(done, () => operations.create(path, mode)),
    open: (path, _flags, done) => answers.give(done, () => operations.open(path)),
    release: (_path, handle, done) => answers.give(done, () => operations.release(handle)),
    read: (_path, handle, into, length, position, done) =>
      answers.count(done, () => operations.read(handle, into, length, position)),
    write: (_path, handle, from, length, position, done) =>
      answers.change<void>(
        (result) => done(result === 0 ? length : result),
        () => operations.write(handle, from, length, position),
      ),
    fsync: (_path, _dataOnly, handle, done) => answers.count(done, () => operations.sync(handle).then(() => 0)),
    fsyncdir: (path, _dataOnly, _handle, done) =>
      answers.count(done, () => operations.syncDirectory(path).then(() => 0)),

    setxattr: (path, name, value, _position, flags, done) =>
      answers.change(done, () => operations.setExtendedAttribute(path, name, value, flags)),
    getxattr: (path, name, into, done) => answers.count(done, () => operations.getExtendedAttribute(path, name, into)),
    listxattr: (path, into, done) => answers.count(done, () => operations.listExtendedAttributes(path, into)),
    removexattr: (path, name, done) => answers.change(done, () => operations.removeExtendedAttribute(path, name)),
  };
}
