/**
 * Applies the operations on attributes, plain and extended.
 */
import { CorruptionError } from '../../errors/corruption.js';
import { asAddress, type Ino } from '../../store/units.js';
import { Inode } from '../inode.js';
import { KIND_XATTR, readU64, writeU64, XATTR_BYTES } from '../items.js';
import type { RemoveXattrOperation, SetAttributesOperation, SetXattrOperation } from '../operation.js';
import type { VolumeState } from '../state.js';
import { loadInode } from './load.js';

export class AttributeChanges {
  readonly #state: VolumeState;
  readonly #inode = new Inode();

  constructor(state: VolumeState) {
    this.#state = state;
  }

  setAttributes(operation: SetAttributesOperation): void {
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    inode.mode = operation.mode;
    inode.uid = operation.uid;
    inode.gid = operation.gid;
    inode.setAtime(operation.atime);
    inode.setMtime(operation.mtime);
    inode.setCtime(operation.ctime);
    inode.store(this.#state.tree);
  }

  setXattr(operation: SetXattrOperation): void {
    this.addXattr(operation.ino, operation.name, operation.value);
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    inode.mode = operation.mode;
    inode.setCtime(operation.time);
    inode.store(this.#state.tree);
  }

  /** Adds an extended attribute, or replaces its value. */
  addXattr(ino: Ino, name: Uint8Array, value: Uint8Array): void {
    const { tree, strings, xattrs } = this.#state;
    let minor = xattrs.find(ino, name);
    if (minor >= 0) {
      tree.modify(ino, KIND_XATTR, minor);
      strings.release(asAddress(readU64(tree.words, tree.valueWord + 2)));
      writeU64(tree.words, tree.valueWord + 2, strings.add({ object: ino, kind: KIND_XATTR, minor }, value));
      return;
    }
    minor = xattrs.freeMinor;
    const nameAddress = strings.add({ object: ino, kind: KIND_XATTR, minor }, name);
    const valueAddress = strings.add({ object: ino, kind: KIND_XATTR, minor }, value);
    tree.insert(ino, KIND_XATTR, minor, XATTR_BYTES);
    writeU64(tree.words, tree.valueWord, nameAddress);
    writeU64(tree.words, tree.valueWord + 2, valueAddress);
    const inode = loadInode(this.#state, this.#inode, ino);
    inode.xattrs++;
    inode.store(tree);
  }

  removeXattr(operation: RemoveXattrOperation): void {
    const { tree, xattrs } = this.#state;
    const minor = xattrs.find(operation.ino, operation.name);
    if (minor < 0) throw new CorruptionError(`inode ${operation.ino}`, 'an extended attribute is missing');
    this.#removeItem(operation.ino, minor);
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    inode.xattrs--;
    inode.setCtime(operation.time);
    inode.store(tree);
  }

  /** Removes an item, and releases its strings. */
  #removeItem(ino: Ino, minor: number): void {
    const { tree, strings } = this.#state;
    tree.modify(ino, KIND_XATTR, minor);
    const name = asAddress(readU64(tree.words, tree.valueWord));
    const value = asAddress(readU64(tree.words, tree.valueWord + 2));
    strings.release(name);
    strings.release(value);
    tree.remove(ino, KIND_XATTR, minor);
  }

  /** Releases all extended attributes of an inode that goes. */
  removeAllXattrs(ino: Ino): void {
    const { tree } = this.#state;
    while (tree.seek(ino, KIND_XATTR, 0) && tree.isAt(ino, KIND_XATTR)) {
      this.#removeItem(ino, tree.minor);
    }
  }
}
