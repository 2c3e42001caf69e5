/**
 * Names: looking them up, making, linking, renaming and removing them.
 */
import { CorruptionError } from '../errors/corruption.js';
import {
  EEXIST,
  EINVAL,
  EISDIR,
  EMLINK,
  ENAMETOOLONG,
  ENOENT,
  ENOSPC,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
} from '../errors/errno.js';
import { asBlobId, asIno, type BlobId, type Ino, NO_BLOB, ROOT_INO } from '../store/units.js';
import { hasBlob, Inode } from '../volume/inode.js';
import { DEPTH_MAX } from '../volume/inode-path.js';
import { readU64 } from '../volume/items.js';
import { isDirectory, S_IFDIR, S_IFLNK } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';
import { checkName, checkNewName, isDot, isDotDot, load, loadDirectory, loadLivingDirectory } from './access.js';
import type { Attributes } from './attributes.js';
import type { ExtendedAttributes } from './extended-attributes.js';
import { inheritPermissions } from './inherited-permissions.js';
import type { InodeAttributes } from './inode-attributes.js';
import { type Caller, RENAME_EXCHANGE, RENAME_NOREPLACE } from './operations.js';
import { assertRoom } from './quotas.js';

/** Hard links of one file. */
export const LINKS_MAX = 65_535;
/** Bytes of a symlink's target (PATH_MAX less its NUL). */
const TARGET_BYTES_MAX = 4095;
const NO_BYTES = new Uint8Array(0);
const NO_PARENT = asIno(0);

export class Names {
  readonly #volume: Volume;
  readonly #xattrs: ExtendedAttributes;
  readonly #attributes: InodeAttributes;
  readonly #parent = new Inode();
  readonly #inode = new Inode();
  readonly #target = new Inode();

  constructor(volume: Volume, xattrs: ExtendedAttributes, attributes: InodeAttributes) {
    this.#volume = volume;
    this.#xattrs = xattrs;
    this.#attributes = attributes;
  }

  /** The inode that a name leads to; undefined when there is none. */
  find(parent: Ino, name: Uint8Array): Ino | undefined {
    const directory = loadDirectory(this.#volume, parent, this.#parent);
    checkName(name);
    if (isDot(name)) return parent;
    if (isDotDot(name)) return directory.parent;
    const ino = this.#find(parent, name);
    return ino === 0 ? undefined : ino;
  }

  /** The inode of an entry, or 0. */
  #find(parent: Ino, name: Uint8Array): Ino {
    const { entries, tree } = this.#volume.state;
    return entries.find(parent, name) < 0 ? asIno(0) : asIno(readU64(tree.words, tree.valueWord));
  }

  /** Checks that an entry can be made. Throws EEXIST, and ENOSPC when too many names there have the same hash. */
  #checkFree(parent: Ino, name: Uint8Array): void {
    checkNewName(name);
    if (this.#find(parent, name) !== 0) throw EEXIST;
    if (this.#volume.state.entries.freeMinor < 0) throw ENOSPC;
  }

  // ── Making ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes an inode of any type with a name, and fills `out` with its attributes. */
  make(
    parent: Ino,
    name: Uint8Array,
    mode: number,
    rdev: number,
    target: Uint8Array,
    caller: Caller,
    out: Attributes,
  ): void {
    this.#volume.assertWritable();
    if (target.length > TARGET_BYTES_MAX) throw ENAMETOOLONG;
    const directory = loadLivingDirectory(this.#volume, parent, this.#parent);
    this.#checkFree(parent, name);
    this.#perform(parent, directory, name, mode, rdev, target, caller, out);
  }

  makeSymlink(parent: Ino, name: Uint8Array, target: Uint8Array, caller: Caller, out: Attributes): void {
    if (target.length === 0) throw ENOENT;
    this.make(parent, name, S_IFLNK | 0o777, 0, target, caller, out);
  }

  /** Makes a regular file without a name. */
  makeTemporary(parent: Ino, mode: number, caller: Caller, out: Attributes): void {
    this.#volume.assertWritable();
    const directory = loadLivingDirectory(this.#volume, parent, this.#parent);
    this.#perform(NO_PARENT, directory, NO_BYTES, mode, 0, NO_BYTES, caller, out);
  }

  #perform(
    parent: Ino,
    directory: Inode,
    name: Uint8Array,
    mode: number,
    rdev: number,
    target: Uint8Array,
    caller: Caller,
    out: Attributes,
  ): void {
    const volume = this.#volume;
    const ino = volume.nextIno;
    const { uid, request } = caller;
    assertRoom(volume, directory.quotaGroup, 0, 1);
    const inherited = inheritPermissions(this.#xattrs, directory, mode, caller);
    const time = volume.now();
    const place = { ino, parent, directory: directory.ino, name };
    const operation = { type: 'make', ...place, uid, rdev, target, time, ...inherited } as const;
    this.#attributes.showNew(operation, out);
    volume.perform(operation, request, caller.logged);
  }

  makeDirectory(parent: Ino, name: Uint8Array, mode: number, caller: Caller, out: Attributes): void {
    this.make(parent, name, S_IFDIR | (mode & 0o7777), 0, NO_BYTES, caller, out);
  }

  link(ino: Ino, parent: Ino, name: Uint8Array, caller: Caller): void {
    this.#volume.assertWritable();
    const inode = load(this.#volume, ino, this.#inode);
    if (isDirectory(inode.mode)) throw EPERM;
    if (inode.nlink >= LINKS_MAX) throw EMLINK;
    const directory = loadLivingDirectory(this.#volume, parent, this.#parent);
    this.#checkFree(parent, name);
    if (directory.quotaGroup !== inode.quotaGroup) throw EXDEV;
    this.#volume.perform({ type: 'link', ino, parent, name, time: this.#volume.now() }, caller.request);
  }

  // ── Removing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  unlink(parent: Ino, name: Uint8Array, caller: Caller): void {
    if (isDirectory(this.#entry(parent, name).mode)) throw EISDIR;
    this.#volume.perform({ type: 'unlink', parent, name, time: this.#volume.now() }, caller.request, caller.logged);
  }

  removeDirectory(parent: Ino, name: Uint8Array, caller: Caller): void {
    if (isDot(name)) throw EINVAL;
    if (isDotDot(name)) throw ENOTEMPTY;
    const inode = this.#entry(parent, name);
    if (!isDirectory(inode.mode)) throw ENOTDIR;
    if (inode.entries > 0) throw ENOTEMPTY;
    this.#volume.perform({ type: 'unlink', parent, name, time: this.#volume.now() }, caller.request, caller.logged);
  }

  /** The inode of an entry that is to go. Throws ENOENT. */
  #entry(parent: Ino, name: Uint8Array): Inode {
    this.#volume.assertWritable();
    loadDirectory(this.#volume, parent, this.#parent);
    checkName(name);
    const ino = this.#find(parent, name);
    if (ino === 0) throw ENOENT;
    return load(this.#volume, ino, this.#inode);
  }

  // ── Renaming ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  rename(parent: Ino, name: Uint8Array, toParent: Ino, toName: Uint8Array, flags: number, caller: Caller): void {
    const volume = this.#volume;
    volume.assertWritable();
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) throw EINVAL;
    if (flags === (RENAME_NOREPLACE | RENAME_EXCHANGE)) throw EINVAL;
    const exchange = flags === RENAME_EXCHANGE;
    checkNewName(name);
    checkNewName(toName);
    const { quotaGroup } = loadDirectory(volume, parent, this.#parent);
    const isSameQuota = loadLivingDirectory(volume, toParent, this.#parent).quotaGroup === quotaGroup;
    const ino = this.#find(parent, name);
    if (ino === 0) throw ENOENT;
    // Copying is left to the caller, as from one filesystem to another: the quotas then say what fits.
    if (!isSameQuota) throw EXDEV;
    const source = load(volume, ino, this.#inode);
    const target = this.#find(toParent, toName);
    if (target === 0 && volume.state.entries.freeMinor < 0) throw ENOSPC;
    if (exchange && target === 0) throw ENOENT;
    if (flags === RENAME_NOREPLACE && target !== 0) throw EEXIST;
    if (isDirectory(source.mode)) this.#checkNoCycle(ino, toParent);
    if (target === ino) return;
    if (target !== 0) this.#checkReplaced(source, target, parent, exchange);
    const barrier = this.#unsyncedBlob(source);
    // The record has room for one file that it must wait for, and in an exchange both get another name: the other is made durable now.
    const other = exchange ? this.#unsyncedBlob(this.#target) : NO_BLOB;
    if (other !== NO_BLOB) volume.cutNow(other, this.#target.size);
    const time = volume.now();
    const operation = { type: 'rename', parent, name, toParent, toName, exchange, barrier, time } as const;
    volume.perform(operation, caller.request, caller.logged);
  }

  #checkReplaced(source: Inode, target: Ino, parent: Ino, exchange: boolean): void {
    const replaced = load(this.#volume, target, this.#target);
    if (exchange) {
      if (isDirectory(replaced.mode)) this.#checkNoCycle(target, parent);
      return;
    }
    if (isDirectory(source.mode) && !isDirectory(replaced.mode)) throw ENOTDIR;
    if (!isDirectory(source.mode) && isDirectory(replaced.mode)) throw EISDIR;
    if (replaced.entries > 0) throw ENOTEMPTY;
  }

  /** A directory must not move into itself or below. Throws EINVAL; CorruptionError where the directories above are a circle. */
  #checkNoCycle(moved: Ino, to: Ino): void {
    const inode = this.#parent;
    let depth = 0;
    for (let ino = to; ino !== ROOT_INO; ino = inode.parent) {
      if (ino === moved) throw EINVAL;
      if (++depth > DEPTH_MAX) throw new CorruptionError(`inode ${to}`, 'a directory that contains itself');
      loadDirectory(this.#volume, ino, inode);
    }
    if (moved === ROOT_INO) throw EINVAL;
  }

  /** The blob of a file whose data may not be durable yet: the new name must not lead to it before it is. */
  #unsyncedBlob(inode: Inode): BlobId {
    if (!hasBlob(inode.storage)) return NO_BLOB;
    return this.#volume.state.blobs.isUnsynced(inode.blob) ? asBlobId(inode.blob) : NO_BLOB;
  }
}
