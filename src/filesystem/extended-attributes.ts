/**
 * Extended attributes (xattr(7)). The kernel checks who may see and set which namespace; the daemon stores bytes.
 */
import { E2BIG, EEXIST, EINVAL, ENODATA, ENOSPC, EOPNOTSUPP, ERANGE } from '../errors/errno.js';
import { asAddress, type Ino } from '../store/units.js';
import { Inode } from '../volume/inode.js';
import { KIND_XATTR, readU64 } from '../volume/items.js';
import type { Volume } from '../volume/volume.js';
import { load } from './access.js';
import { type Caller, XATTR_CREATE, XATTR_REPLACE } from './operations.js';

/** XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h. */
const XATTR_NAME_BYTES_MAX = 255;
const XATTR_VALUE_BYTES_MAX = 65_536;
const STORED_NAMESPACES = ['user.', 'trusted.', 'security.'].map((prefix) => Buffer.from(prefix));

export class ExtendedAttributes {
  readonly #volume: Volume;
  readonly #inode = new Inode();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /** The value, as a view of the mapped file. Throws ENODATA. */
  get(ino: Ino, name: Uint8Array): Uint8Array {
    this.#checkName(name);
    const inode = load(this.#volume, ino, this.#inode);
    const { xattrs, tree, strings } = this.#volume.state;
    if (inode.xattrs === 0 || xattrs.find(ino, name) < 0) throw ENODATA;
    return strings.get(asAddress(readU64(tree.words, tree.valueWord + 2)));
  }

  set(ino: Ino, name: Uint8Array, value: Uint8Array, flags: number, caller: Caller): void {
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
    const time = this.#volume.now();
    this.#volume.perform({ type: 'setXattr', ino, name, value, mode: inode.mode, time }, caller.request);
  }

  /** Removes an attribute. Throws ENODATA. */
  remove(ino: Ino, name: Uint8Array, caller: Caller): void {
    this.#volume.assertWritable();
    this.#checkName(name);
    if (!this.has(load(this.#volume, ino, this.#inode), name)) throw ENODATA;
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
    const isStored = STORED_NAMESPACES.some(
      (prefix) => name.length > prefix.length && prefix.equals(name.subarray(0, prefix.length)),
    );
    if (!isStored) throw EOPNOTSUPP;
  }
}
