/**
 * Extended attributes (xattr(7)). The kernel checks who may see and set which namespace; the daemon stores bytes,
 * and keeps the mode in step with access control lists (acl.ts).
 */
import { E2BIG, EACCES, EEXIST, EINVAL, ENODATA, ENOSPC, EOPNOTSUPP, ERANGE } from '../errors/errno.js';
import { asAddress, type Ino } from '../store/units.js';
import { Inode } from '../volume/inode.js';
import { KIND_XATTR, readU64 } from '../volume/items.js';
import { isDirectory, S_ISGID } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';
import { load } from './access.js';
import { ACCESS_ACL_XATTR, Acl, DEFAULT_ACL_XATTR } from './acl.js';
import { type Caller, XATTR_CREATE, XATTR_REPLACE } from './operations.js';

/** XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h. */
const XATTR_NAME_BYTES_MAX = 255;
const XATTR_VALUE_BYTES_MAX = 65_536;
const PERMISSIONS = 0o777;
const TRUSTED = Buffer.from('trusted.');
const STORED_NAMESPACES = [Buffer.from('user.'), TRUSTED, Buffer.from('security.')];

export class ExtendedAttributes {
  readonly #volume: Volume;
  readonly #inode = new Inode();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /** The value, as a view of the mapped file; undefined when there is none. */
  find(ino: Ino, name: Uint8Array): Uint8Array | undefined {
    this.#checkName(name);
    const inode = load(this.#volume, ino, this.#inode);
    const { xattrs, tree, strings } = this.#volume.state;
    if (inode.xattrs === 0 || xattrs.find(ino, name) < 0) return undefined;
    return strings.get(asAddress(readU64(tree.words, tree.valueWord + 2)));
  }

  set(ino: Ino, name: Uint8Array, value: Uint8Array, flags: number, killSetgid: boolean, caller: Caller): void {
    this.#volume.assertWritable();
    this.#checkName(name);
    if (value.length > XATTR_VALUE_BYTES_MAX) throw E2BIG;
    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) throw EINVAL;
    const inode = load(this.#volume, ino, this.#inode);
    const { xattrs } = this.#volume.state;
    const exists = xattrs.find(ino, name) >= 0;
    if (exists && (flags & XATTR_CREATE) !== 0) throw EEXIST;
    if (!exists && (flags & XATTR_REPLACE) !== 0) throw ENODATA;
    if (!exists && xattrs.freeMinor < 0) throw ENOSPC;
    let { mode } = inode;
    if (ACCESS_ACL_XATTR.equals(name)) {
      const acl = Acl.parse(value);
      mode = ((mode & ~PERMISSIONS) | acl.mode) & (killSetgid ? ~S_ISGID : ~0);
      if (acl.isMinimal) {
        this.#replaceAccessAclByMode(inode, exists, mode, caller);
        return;
      }
    } else if (DEFAULT_ACL_XATTR.equals(name)) {
      if (!isDirectory(mode)) throw EACCES;
      Acl.parse(value);
    }
    const time = this.#volume.now();
    this.#volume.perform({ type: 'setXattr', ino, name, value, mode, time }, caller.request);
  }

  /** An access list that says no more than permission bits do becomes those bits, and none is left (acl(5)). */
  #replaceAccessAclByMode(inode: Inode, exists: boolean, mode: number, caller: Caller): void {
    const { ino, uid, gid } = inode;
    const time = this.#volume.now();
    const atime = { seconds: inode.atimeSeconds, nanoseconds: inode.atimeNanoseconds };
    const mtime = { seconds: inode.mtimeSeconds, nanoseconds: inode.mtimeNanoseconds };
    // Without the request's number: the request counts as applied only with the change that ends it.
    if (exists) this.#volume.perform({ type: 'removeXattr', ino, name: ACCESS_ACL_XATTR, time }, 0);
    this.#volume.perform({ type: 'setAttributes', ino, mode, uid, gid, atime, mtime, ctime: time }, caller.request);
  }

  /** The access list after chmod(2), to be set with the new mode; undefined when there is none. */
  accessAclAfterChmod(inode: Inode, mode: number): Uint8Array | undefined {
    const acl = this.find(inode.ino, ACCESS_ACL_XATTR);
    return acl === undefined ? undefined : Acl.parse(acl).afterChmod(mode).encode();
  }

  /** Removes an attribute. Throws ENODATA; an access control list may be missing. */
  remove(ino: Ino, name: Uint8Array, caller: Caller): void {
    this.#volume.assertWritable();
    this.#checkName(name);
    if (!this.has(load(this.#volume, ino, this.#inode), name)) {
      if (isAcl(name)) return;
      throw ENODATA;
    }
    this.#volume.perform({ type: 'removeXattr', ino, name, time: this.#volume.now() }, caller.request);
  }

  has(inode: Inode, name: Uint8Array): boolean {
    return inode.xattrs > 0 && this.#volume.state.xattrs.find(inode.ino, name) >= 0;
  }

  /** The names, as views of the mapped file. */
  list(ino: Ino): Uint8Array[] {
    const inode = load(this.#volume, ino, this.#inode);
    const names: Uint8Array[] = [];
    if (inode.xattrs === 0) return names;
    const { tree, strings, xattrs } = this.#volume.state;
    let found = tree.seek(ino, KIND_XATTR, 0);
    while (found && tree.isAt(ino, KIND_XATTR)) {
      names.push(strings.get(xattrs.nameAddress()));
      found = tree.next();
    }
    return names;
  }

  #checkName(name: Uint8Array): void {
    if (name.length > XATTR_NAME_BYTES_MAX) throw ERANGE;
    if (isAcl(name)) return;
    const namespace = STORED_NAMESPACES.find((prefix) => isIn(prefix, name));
    if (namespace === undefined) throw EOPNOTSUPP;
    if (name.length === namespace.length) throw EINVAL;
  }
}

const isAcl = (name: Uint8Array): boolean => ACCESS_ACL_XATTR.equals(name) || DEFAULT_ACL_XATTR.equals(name);

const isIn = (namespace: Buffer, name: Uint8Array): boolean => namespace.equals(name.subarray(0, namespace.length));

/** Whether only the privileged may know of an attribute (xattr(7)). The kernel sees to that for values, not for the names in a list. */
export const isTrusted = (name: Uint8Array): boolean => isIn(TRUSTED, name);
