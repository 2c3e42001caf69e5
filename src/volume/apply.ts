/**
 * Applies operations to a volume's state: the one place where the tree changes, for live operations and for the log's replay alike.
 *
 * It relies on the operation being right for the state (filesystem/ has checked it, or it once was), on space being reserved, and,
 * for blobs, on the data having been written before. An exception here means damage: the volume must not go on.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asAddress, asIno, type BlobId, type Ino, NO_BLOB } from '../store/units.js';
import { Inode, STORAGE_BLOB, STORAGE_NONE, STORAGE_PACK, type Timestamp } from './inode.js';
import {
  ADDRESS_BYTES,
  DIRENT_BYTES,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  writeU64,
  XATTR_BYTES,
} from './items.js';
import { direntType, isDirectory, isRegular } from './mode.js';
import type {
  LinkOperation,
  MakeOperation,
  Operation,
  PromoteOperation,
  RemoveXattrOperation,
  RenameOperation,
  ResizeOperation,
  SetAttributesOperation,
  SetXattrOperation,
  UnlinkOperation,
  WriteBlobOperation,
  WriteSmallOperation,
} from './operation.js';
import type { VolumeState } from './state.js';

/** More pages than any operation can take: an exchange of two names changes at most eight items. */
export const PAGES_PER_OPERATION = 160;

export class Applier {
  readonly #state: VolumeState;
  /** Scratch records. */
  readonly #parent = new Inode();
  readonly #inode = new Inode();
  readonly #other = new Inode();

  constructor(state: VolumeState) {
    this.#state = state;
  }

  apply(operation: Operation): void {
    switch (operation.type) {
      case 'make':
        this.#make(operation);
        break;
      case 'link':
        this.#link(operation);
        break;
      case 'unlink':
        this.#unlink(operation);
        break;
      case 'rename':
        if (operation.exchange) this.#exchange(operation);
        else this.#rename(operation);
        break;
      case 'setAttributes':
        this.#setAttributes(operation);
        break;
      case 'resize':
        this.#resize(operation);
        break;
      case 'writeSmall':
        this.#writeSmall(operation);
        break;
      case 'writeBlob':
        this.#writeBlob(operation);
        break;
      case 'promote':
        this.#promote(operation);
        break;
      case 'setXattr':
        this.#setXattr(operation);
        break;
      case 'removeXattr':
        this.#removeXattr(operation);
        break;
      case 'synced':
        break;
    }
  }

  #load(inode: Inode, ino: Ino): Inode {
    if (!inode.load(this.#state.tree, ino)) throw new CorruptionError(`inode ${ino}`, 'missing');
    return inode;
  }

  // ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #make(operation: MakeOperation): void {
    const { tree, strings, counters } = this.#state;
    const { ino, parent, mode, time } = operation;
    const directory = isDirectory(mode);
    const inode = new Inode();
    inode.ino = ino;
    inode.mode = mode;
    inode.nlink = parent === 0 ? 0 : directory ? 2 : 1;
    inode.uid = operation.uid;
    inode.gid = operation.gid;
    inode.rdev = operation.rdev;
    inode.size = operation.target.length;
    inode.parent = directory ? parent : asIno(0);
    inode.setAtime(time);
    inode.setChanged(time);
    inode.btimeSeconds = time.seconds;
    inode.btimeNanoseconds = time.nanoseconds;
    inode.insert(tree);
    if (operation.target.length > 0) {
      const address = strings.add({ object: ino, kind: KIND_SYMLINK, minor: 0 }, operation.target);
      tree.insert(ino, KIND_SYMLINK, 0, ADDRESS_BYTES);
      writeU64(tree.words, tree.valueWord, address);
    }
    this.#state.takeInoNumber(ino);
    counters.inodes++;
    if (parent === 0) {
      this.#state.orphans.add(ino);
      return;
    }
    this.#addEntry(parent, operation.name, ino, direntType(mode));
    const directoryInode = this.#load(this.#parent, parent);
    directoryInode.entries++;
    if (directory) directoryInode.nlink++;
    directoryInode.setChanged(time);
    directoryInode.store(tree);
  }

  #addEntry(parent: Ino, name: Uint8Array, ino: Ino, type: number): void {
    const { tree, strings, entries } = this.#state;
    if (entries.find(parent, name) >= 0)
      throw new CorruptionError(`inode ${parent}`, 'an entry of this name is there already');
    const minor = entries.freeMinor;
    const address = strings.add({ object: parent, kind: KIND_DIRENT, minor }, name);
    tree.insert(parent, KIND_DIRENT, minor, DIRENT_BYTES);
    writeU64(tree.words, tree.valueWord, ino);
    writeU64(tree.words, tree.valueWord + 2, address);
    tree.words[tree.valueWord + 4] = type;
  }

  /** Finds an entry, at which the tree's position then is. */
  #findEntry(parent: Ino, name: Uint8Array): { minor: number; ino: Ino; type: number } {
    const { tree, entries } = this.#state;
    const minor = entries.find(parent, name);
    if (minor < 0) throw new CorruptionError(`inode ${parent}`, 'an entry is missing');
    return { minor, ino: asIno(readU64(tree.words, tree.valueWord)), type: tree.words[tree.valueWord + 4] };
  }

  #removeEntry(parent: Ino, minor: number): void {
    const { tree, strings, entries } = this.#state;
    if (!tree.find(parent, KIND_DIRENT, minor)) throw new CorruptionError(`inode ${parent}`, 'an entry is missing');
    strings.release(entries.nameAddress());
    tree.remove(parent, KIND_DIRENT, minor);
  }

  #link(operation: LinkOperation): void {
    const { tree } = this.#state;
    const inode = this.#load(this.#inode, operation.ino);
    if (inode.nlink === 0) this.#state.orphans.delete(operation.ino);
    inode.nlink++;
    inode.setCtime(operation.time);
    inode.store(tree);
    this.#addEntry(operation.parent, operation.name, operation.ino, direntType(inode.mode));
    const parent = this.#load(this.#parent, operation.parent);
    parent.entries++;
    parent.setChanged(operation.time);
    parent.store(tree);
  }

  #unlink(operation: UnlinkOperation): void {
    const entry = this.#findEntry(operation.parent, operation.name);
    this.#removeEntry(operation.parent, entry.minor);
    const wasDirectory = this.#dropLink(entry.ino, operation.time);
    const parent = this.#load(this.#parent, operation.parent);
    parent.entries--;
    if (wasDirectory) parent.nlink--;
    parent.setChanged(operation.time);
    parent.store(this.#state.tree);
  }

  /** An inode loses a name; at the last one it becomes an orphan. Returns whether it is a directory. */
  #dropLink(ino: Ino, time: Timestamp): boolean {
    const inode = this.#load(this.#inode, ino);
    const directory = isDirectory(inode.mode);
    inode.nlink = directory ? 0 : inode.nlink - 1;
    inode.setCtime(time);
    inode.store(this.#state.tree);
    if (inode.nlink === 0) this.#state.orphans.add(ino);
    return directory;
  }

  #rename(operation: RenameOperation): void {
    const { tree, entries } = this.#state;
    const { parent, name, toParent, toName, time } = operation;
    const source = this.#findEntry(parent, name);
    const moved = this.#load(this.#other, source.ino);
    const directory = isDirectory(moved.mode);
    moved.setCtime(time);
    if (directory) moved.parent = toParent;
    moved.store(tree);

    this.#removeEntry(parent, source.minor);
    const targetMinor = entries.find(toParent, toName);
    let addedEntries = 1;
    let addedLinks = directory ? 1 : 0;
    if (targetMinor >= 0) {
      const replaced = asIno(readU64(tree.words, tree.valueWord));
      tree.modify(toParent, KIND_DIRENT, targetMinor);
      writeU64(tree.words, tree.valueWord, source.ino);
      tree.words[tree.valueWord + 4] = source.type;
      addedEntries = 0;
      if (this.#dropLink(replaced, time)) addedLinks--;
    } else {
      this.#addEntry(toParent, toName, source.ino, source.type);
    }

    this.#adjustParent(parent, -1, directory ? -1 : 0, time);
    this.#adjustParent(toParent, addedEntries, addedLinks, time);
  }

  #adjustParent(ino: Ino, entries: number, links: number, time: Timestamp): void {
    const parent = this.#load(this.#parent, ino);
    parent.entries += entries;
    parent.nlink += links;
    parent.setChanged(time);
    parent.store(this.#state.tree);
  }

  #exchange(operation: RenameOperation): void {
    const { tree } = this.#state;
    const { parent, name, toParent, toName, time } = operation;
    const first = this.#findEntry(parent, name);
    const second = this.#findEntry(toParent, toName);
    this.#pointEntry(parent, first.minor, second.ino, second.type);
    this.#pointEntry(toParent, second.minor, first.ino, first.type);
    const moves = [
      { ino: first.ino, to: toParent },
      { ino: second.ino, to: parent },
    ];
    let linksToTarget = 0;
    for (const { ino, to } of moves) {
      const inode = this.#load(this.#inode, ino);
      if (isDirectory(inode.mode)) {
        inode.parent = to;
        linksToTarget += to === toParent ? 1 : -1;
      }
      inode.setCtime(time);
      inode.store(tree);
    }
    // Within one directory the two cancel out.
    this.#adjustParent(parent, 0, parent === toParent ? 0 : -linksToTarget, time);
    this.#adjustParent(toParent, 0, parent === toParent ? 0 : linksToTarget, time);
  }

  #pointEntry(parent: Ino, minor: number, ino: Ino, type: number): void {
    const { tree } = this.#state;
    tree.modify(parent, KIND_DIRENT, minor);
    writeU64(tree.words, tree.valueWord, ino);
    tree.words[tree.valueWord + 4] = type;
  }

  // ── Attributes ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #setAttributes(operation: SetAttributesOperation): void {
    const inode = this.#load(this.#inode, operation.ino);
    inode.mode = operation.mode;
    inode.uid = operation.uid;
    inode.gid = operation.gid;
    inode.setAtime(operation.atime);
    inode.setMtime(operation.mtime);
    inode.setCtime(operation.ctime);
    inode.store(this.#state.tree);
  }

  #setXattr(operation: SetXattrOperation): void {
    const { tree, strings, xattrs } = this.#state;
    const { ino, name, value } = operation;
    const inode = this.#load(this.#inode, ino);
    let minor = xattrs.find(ino, name);
    if (minor >= 0) {
      strings.release(asAddress(readU64(tree.words, tree.valueWord + 2)));
      tree.modify(ino, KIND_XATTR, minor);
    } else {
      minor = xattrs.freeMinor;
      const nameAddress = strings.add({ object: ino, kind: KIND_XATTR, minor }, name);
      tree.insert(ino, KIND_XATTR, minor, XATTR_BYTES);
      writeU64(tree.words, tree.valueWord, nameAddress);
      inode.xattrs++;
    }
    writeU64(tree.words, tree.valueWord + 2, strings.add({ object: ino, kind: KIND_XATTR, minor }, value));
    inode.mode = operation.mode;
    inode.setCtime(operation.time);
    inode.store(tree);
  }

  #removeXattr(operation: RemoveXattrOperation): void {
    const { tree, xattrs } = this.#state;
    const minor = xattrs.find(operation.ino, operation.name);
    if (minor < 0) throw new CorruptionError(`inode ${operation.ino}`, 'an extended attribute is missing');
    this.#releaseXattr();
    tree.remove(operation.ino, KIND_XATTR, minor);
    const inode = this.#load(this.#inode, operation.ino);
    inode.xattrs--;
    inode.setCtime(operation.time);
    inode.store(tree);
  }

  /** Releases the strings of the extended attribute at the tree's position. */
  #releaseXattr(): void {
    const { tree, strings } = this.#state;
    const name = asAddress(readU64(tree.words, tree.valueWord));
    const value = asAddress(readU64(tree.words, tree.valueWord + 2));
    strings.release(name);
    strings.release(value);
  }

  // ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #resize(operation: ResizeOperation): void {
    const inode = this.#load(this.#inode, operation.ino);
    const { size } = operation;
    if (size === 0) this.#dropData(inode);
    else if (inode.storage === STORAGE_PACK) this.#cutExtent(inode, size);
    else if (inode.storage === STORAGE_BLOB && size < inode.size) this.#state.blobs.cutLater(inode.blob, size);
    else if (inode.storage === STORAGE_BLOB) this.#state.blobs.forgetCut(inode.blob);
    this.#setSize(inode, size);
    inode.mode = operation.mode;
    inode.setChanged(operation.time);
    inode.store(this.#state.tree);
  }

  #setSize(inode: Inode, size: number): void {
    this.#state.counters.dataBytes += size - inode.size;
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

  #extentAddress(ino: Ino): ReturnType<typeof asAddress> {
    const { tree } = this.#state;
    if (!tree.find(ino, KIND_EXTENT, 0)) throw new CorruptionError(`inode ${ino}`, 'its extent is missing');
    return asAddress(readU64(tree.words, tree.valueWord));
  }

  /** The inode gives up its data, wherever that is. The record is not stored. */
  #dropData(inode: Inode): void {
    const { tree, packs, deadBlobs } = this.#state;
    if (inode.storage === STORAGE_PACK) {
      packs.release(this.#extentAddress(inode.ino));
      tree.remove(inode.ino, KIND_EXTENT, 0);
    } else if (inode.storage === STORAGE_BLOB) {
      deadBlobs.push(inode.blob);
    }
    inode.storage = STORAGE_NONE;
    inode.blob = NO_BLOB;
  }

  #writeSmall(operation: WriteSmallOperation): void {
    const { tree, packs } = this.#state;
    const { ino, position, data } = operation;
    const inode = this.#load(this.#inode, ino);
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

  #writeBlob(operation: WriteBlobOperation): void {
    const inode = this.#load(this.#inode, operation.ino);
    if (inode.storage === STORAGE_NONE) this.#giveBlob(inode, operation.blob);
    if (operation.end > inode.size) {
      this.#setSize(inode, operation.end);
      this.#state.blobs.forgetCut(operation.blob);
    }
    inode.mode = operation.mode;
    inode.setChanged(operation.time);
    inode.store(this.#state.tree);
  }

  #promote(operation: PromoteOperation): void {
    const inode = this.#load(this.#inode, operation.ino);
    this.#dropData(inode);
    this.#giveBlob(inode, operation.blob);
    inode.store(this.#state.tree);
  }

  #giveBlob(inode: Inode, blob: BlobId): void {
    inode.storage = STORAGE_BLOB;
    inode.blob = blob;
    this.#state.takeBlobNumber(blob);
  }

  // ── The end of an inode ──────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Removes an orphan for good: its record, its extended attributes and its data. This is not logged: whoever replays the log
   * finds the orphan again, and that nobody uses it.
   */
  reclaim(ino: Ino): void {
    const { tree, strings, orphans, counters } = this.#state;
    const inode = this.#load(this.#inode, ino);
    while (inode.xattrs > 0 && tree.seek(ino, KIND_XATTR, 0) && tree.isAt(ino, KIND_XATTR)) {
      const minor = tree.minor;
      this.#releaseXattr();
      tree.remove(ino, KIND_XATTR, minor);
    }
    if (tree.find(ino, KIND_SYMLINK, 0)) {
      strings.release(asAddress(readU64(tree.words, tree.valueWord)));
      tree.remove(ino, KIND_SYMLINK, 0);
    }
    if (isRegular(inode.mode)) this.#setSize(inode, 0);
    this.#dropData(inode);
    tree.remove(ino, KIND_INODE, 0);
    orphans.delete(ino);
    counters.inodes--;
  }
}

function withZerosBefore(position: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(position + data.length);
  bytes.set(data, position);
  return bytes;
}
