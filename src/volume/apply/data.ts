/**
 * Applies the operations on the data of regular files. What goes into blobs has been written before; here are its bookkeeping, and
 * the data of small files.
 */
import { CorruptionError } from '../../errors/corruption.js';
import { type Address, asAddress, type BlobId, type Ino, NO_BLOB } from '../../store/units.js';
import { chunksTo, FileParts } from '../file-parts.js';
import { hasBlob, Inode, STORAGE_BLOB, STORAGE_NONE, STORAGE_PACK, STORAGE_PARTS } from '../inode.js';
import { ADDRESS_BYTES, KIND_EXTENT, KIND_INODE, readU64, writeU64 } from '../items.js';
import { isRegular } from '../mode.js';
import type {
  BranchBlobOperation,
  PromoteOperation,
  ResizeOperation,
  TakeChunksOperation,
  WriteBlobOperation,
  WriteSmallOperation,
} from '../operation.js';
import { charge } from '../quota-groups.js';
import type { VolumeState } from '../state.js';
import { loadInode } from './load.js';

export class DataChanges {
  readonly #state: VolumeState;
  readonly #parts: FileParts;
  readonly #inode = new Inode();

  constructor(state: VolumeState) {
    this.#state = state;
    this.#parts = new FileParts(state);
  }

  resize(operation: ResizeOperation): void {
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    const { size } = operation;
    if (size === 0) this.#dropData(inode);
    else if (inode.storage === STORAGE_PACK) this.#cutExtent(inode, size);
    else if (hasBlob(inode.storage)) this.#resizeBlob(inode, size);
    this.#setSize(inode, size);
    inode.mode = operation.mode;
    inode.setChanged(operation.time);
    inode.store(this.#state.tree);
  }

  #resizeBlob(inode: Inode, size: number): void {
    if (size < inode.size) this.#state.blobs.cutLater(inode.blob, size);
    else if (size > inode.size) this.#state.blobs.forgetCut(inode.blob);
    if (inode.storage === STORAGE_PARTS) this.#removeParts(inode, chunksTo(size), Number.POSITIVE_INFINITY);
  }

  /** The inode gives up the parts of some chunks. The record is not stored. */
  #removeParts(inode: Inode, first: number, end: number): void {
    this.#parts.remove(inode.ino, first, end);
    if (this.#parts.isEmpty(inode.ino)) inode.storage = STORAGE_BLOB;
  }

  #setSize(inode: Inode, size: number): void {
    const { dataset, tree } = this.#state;
    dataset.dataBytes += size - inode.size;
    charge(tree, inode.quotaGroup, size - inode.size, 0);
    inode.size = size;
  }

  #cutExtent(inode: Inode, size: number): void {
    const { tree, packs } = this.#state;
    const owner = { object: inode.ino, kind: KIND_EXTENT, minor: 0 };
    const address = this.#extentAddress(inode.ino);
    if (packs.get(address).length <= size) return;
    const cut = packs.resize(address, owner, size);
    tree.modify(inode.ino, KIND_EXTENT, 0);
    writeU64(tree.words, tree.valueWord, cut);
  }

  /** The address of a small file's data, whose item is writable and no snapshot's from then on. */
  #extentAddress(ino: Ino): Address {
    const { tree } = this.#state;
    if (!tree.modify(ino, KIND_EXTENT, 0)) throw new CorruptionError(`inode ${ino}`, 'its extent is missing');
    return asAddress(readU64(tree.words, tree.valueWord));
  }

  /** The inode gives up its data, wherever that is. The record is not stored. */
  #dropData(inode: Inode): void {
    const { tree, packs, store } = this.#state;
    if (inode.storage === STORAGE_PACK) {
      packs.release(this.#extentAddress(inode.ino));
      tree.remove(inode.ino, KIND_EXTENT, 0);
    } else if (hasBlob(inode.storage)) {
      this.#parts.remove(inode.ino, 0, Number.POSITIVE_INFINITY);
      tree.modify(inode.ino, KIND_INODE, 0);
      store.releaseBlob(inode.blob);
    }
    inode.storage = STORAGE_NONE;
    inode.blob = NO_BLOB;
  }

  writeSmall(operation: WriteSmallOperation): void {
    const { tree, packs } = this.#state;
    const { ino, position, data } = operation;
    const inode = loadInode(this.#state, this.#inode, ino);
    const owner = { object: ino, kind: KIND_EXTENT, minor: 0 };
    if (inode.storage === STORAGE_PACK) {
      const address = this.#extentAddress(ino);
      const changed = packs.write(address, owner, position, data);
      if (changed !== address) {
        tree.modify(ino, KIND_EXTENT, 0);
        writeU64(tree.words, tree.valueWord, changed);
      }
    } else {
      const address = packs.add(owner, position === 0 ? data : withZerosBefore(position, data));
      tree.insert(ino, KIND_EXTENT, 0, ADDRESS_BYTES);
      writeU64(tree.words, tree.valueWord, address);
      inode.storage = STORAGE_PACK;
    }
    this.#setSize(inode, Math.max(inode.size, position + data.length));
    inode.mode = operation.mode;
    inode.setChanged(operation.time);
    inode.store(tree);
  }

  writeBlob(operation: WriteBlobOperation): void {
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    if (inode.storage === STORAGE_NONE) this.#giveBlob(inode, operation.blob);
    if (operation.end > inode.size) {
      this.#setSize(inode, operation.end);
      this.#state.blobs.forgetCut(operation.blob);
    }
    inode.mode = operation.mode;
    inode.setChanged(operation.time);
    inode.store(this.#state.tree);
    this.#state.blobs.noteLogged(operation.blob);
  }

  promote(operation: PromoteOperation): void {
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    this.#dropData(inode);
    this.#giveBlob(inode, operation.blob);
    inode.store(this.#state.tree);
  }

  #giveBlob(inode: Inode, blob: BlobId): void {
    inode.storage = STORAGE_BLOB;
    inode.blob = blob;
    this.#state.store.takeBlob(blob);
  }

  branchBlob(operation: BranchBlobOperation): void {
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    this.#state.tree.modify(inode.ino, KIND_INODE, 0);
    this.#parts.branch(inode);
    this.#giveBlob(inode, operation.blob);
    if (!this.#parts.isEmpty(inode.ino)) inode.storage = STORAGE_PARTS;
    inode.store(this.#state.tree);
  }

  takeChunks(operation: TakeChunksOperation): void {
    const inode = loadInode(this.#state, this.#inode, operation.ino);
    this.#removeParts(inode, operation.first, operation.end);
    inode.store(this.#state.tree);
  }

  /** Releases all data of an inode that goes. The record is not stored. */
  removeAll(inode: Inode): void {
    if (isRegular(inode.mode)) this.#setSize(inode, 0);
    this.#dropData(inode);
  }
}

function withZerosBefore(position: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(position + data.length);
  bytes.set(data, position);
  return bytes;
}
