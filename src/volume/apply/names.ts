/**
 * Applies the operations on names: making, linking, unlinking and renaming.
 */
import { CorruptionError } from '../../errors/corruption.js';
import { asIno, type Ino } from '../../store/units.js';
import { Inode, type Timestamp } from '../inode.js';
import { ADDRESS_BYTES, DIRENT_BYTES, KIND_DIRENT, KIND_SYMLINK, readU64, writeU64 } from '../items.js';
import { direntType, isDirectory } from '../mode.js';
import type { LinkOperation, MakeOperation, RenameOperation, UnlinkOperation } from '../operation.js';
import { charge } from '../quota-groups.js';
import type { VolumeState } from '../state.js';
import { loadInode } from './load.js';

export class NameChanges {
  readonly #state: VolumeState;
  /** Scratch records. */
  readonly #parent = new Inode();
  readonly #inode = new Inode();

  constructor(state: VolumeState) {
    this.#state = state;
  }

  make(operation: MakeOperation): void {
    const { tree, strings, store, dataset } = this.#state;
    const { ino, parent, directory: place, mode, time } = operation;
    const directory = isDirectory(mode);
    const inode = new Inode();
    inode.ino = ino;
    inode.mode = mode;
    inode.nlink = parent === 0 ? 0 : directory ? 2 : 1;
    inode.uid = operation.uid;
    inode.gid = operation.gid;
    inode.rdev = operation.rdev;
    inode.size = operation.target.length;
    inode.parent = parent;
    inode.quotaGroup = place === 0 ? 0 : loadInode(this.#state, this.#parent, place).quotaGroup;
    inode.setAtime(time);
    inode.setChanged(time);
    inode.btimeSeconds = time.seconds;
    inode.btimeNanoseconds = time.nanoseconds;
    if (parent !== 0) inode.nameMinor = this.#addEntry(parent, operation.name, ino, direntType(mode));
    inode.insert(tree);
    if (operation.target.length > 0) {
      const address = strings.add({ object: ino, kind: KIND_SYMLINK, minor: 0 }, operation.target);
      tree.insert(ino, KIND_SYMLINK, 0, ADDRESS_BYTES);
      writeU64(tree.words, tree.valueWord, address);
    }
    store.takeIno(ino);
    dataset.inodes++;
    charge(tree, inode.quotaGroup, 0, 1);
    if (parent === 0) {
      this.#state.orphans.add(ino);
      return;
    }
    const directoryInode = loadInode(this.#state, this.#parent, parent);
    directoryInode.entries++;
    if (directory) directoryInode.nlink++;
    directoryInode.setChanged(time);
    directoryInode.store(tree);
  }

  /** Adds an entry, and returns its minor key. */
  #addEntry(parent: Ino, name: Uint8Array, ino: Ino, type: number): number {
    const { tree, strings, entries } = this.#state;
    if (entries.find(parent, name) >= 0)
      throw new CorruptionError(`inode ${parent}`, 'an entry of this name is there already');
    const minor = entries.freeMinor;
    const address = strings.add({ object: parent, kind: KIND_DIRENT, minor }, name);
    tree.insert(parent, KIND_DIRENT, minor, DIRENT_BYTES);
    writeU64(tree.words, tree.valueWord, ino);
    writeU64(tree.words, tree.valueWord + 2, address);
    tree.words[tree.valueWord + 4] = type;
    return minor;
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
    if (!tree.modify(parent, KIND_DIRENT, minor)) throw new CorruptionError(`inode ${parent}`, 'an entry is missing');
    strings.release(entries.nameAddress());
    tree.remove(parent, KIND_DIRENT, minor);
  }

  link(operation: LinkOperation): void {
    const { tree } = this.#state;
    const { ino } = operation;
    const inode = loadInode(this.#state, this.#inode, ino);
    if (inode.nlink === 0) this.#state.orphans.delete(ino);
    inode.nlink++;
    inode.setCtime(operation.time);
    inode.parent = operation.parent;
    inode.nameMinor = this.#addEntry(operation.parent, operation.name, ino, direntType(inode.mode));
    inode.store(tree);
    const parent = loadInode(this.#state, this.#parent, operation.parent);
    parent.entries++;
    parent.setChanged(operation.time);
    parent.store(tree);
  }

  unlink(operation: UnlinkOperation): void {
    const { parent, time } = operation;
    const entry = this.#findEntry(parent, operation.name);
    this.#removeEntry(parent, entry.minor);
    const wasDirectory = this.#dropLink(entry.ino, parent, entry.minor, time);
    this.#adjustParent(parent, -1, wasDirectory ? -1 : 0, time);
  }

  /** An inode loses a name; at the last one it becomes an orphan. Returns whether it is a directory. */
  #dropLink(ino: Ino, parent: Ino, minor: number, time: Timestamp): boolean {
    const inode = loadInode(this.#state, this.#inode, ino);
    const directory = isDirectory(inode.mode);
    inode.nlink = directory ? 0 : inode.nlink - 1;
    const { orphans, removed } = this.#state;
    // Whoever sweeps a removed tree sees by this that a file in it was in use elsewhere.
    const mayBeRemoved = inode.nlink > 0 && removed.length > 0;
    if (!directory && (mayBeRemoved || (inode.parent === parent && inode.nameMinor === minor))) {
      inode.parent = asIno(0);
      inode.nameMinor = 0;
    }
    inode.setCtime(time);
    inode.store(this.#state.tree);
    if (inode.nlink === 0) orphans.add(ino);
    return directory;
  }

  rename(operation: RenameOperation): void {
    const { tree, entries } = this.#state;
    const { parent, name, toParent, toName, time } = operation;
    const source = this.#findEntry(parent, name);
    this.#removeEntry(parent, source.minor);
    let minor = entries.find(toParent, toName);
    let addedEntries = 1;
    let removedDirectory = false;
    if (minor >= 0) {
      const replaced = asIno(readU64(tree.words, tree.valueWord));
      this.#pointEntry(toParent, minor, source.ino, source.type);
      addedEntries = 0;
      removedDirectory = this.#dropLink(replaced, toParent, minor, time);
    } else {
      minor = this.#addEntry(toParent, toName, source.ino, source.type);
    }
    const wasDirectory = this.#moveTo(source.ino, toParent, minor, time);
    const addedLinks = (wasDirectory ? 1 : 0) - (removedDirectory ? 1 : 0);
    this.#adjustParent(parent, -1, wasDirectory ? -1 : 0, time);
    this.#adjustParent(toParent, addedEntries, addedLinks, time);
  }

  /** Notes the new place of an inode that was renamed. Returns whether it is a directory. */
  #moveTo(ino: Ino, parent: Ino, minor: number, time: Timestamp): boolean {
    const inode = loadInode(this.#state, this.#inode, ino);
    inode.parent = parent;
    inode.nameMinor = minor;
    inode.setCtime(time);
    inode.store(this.#state.tree);
    return isDirectory(inode.mode);
  }

  #adjustParent(ino: Ino, entries: number, links: number, time: Timestamp): void {
    const parent = loadInode(this.#state, this.#parent, ino);
    parent.entries += entries;
    parent.nlink += links;
    parent.setChanged(time);
    parent.store(this.#state.tree);
  }

  exchange(operation: RenameOperation): void {
    const { parent, name, toParent, toName, time } = operation;
    const first = this.#findEntry(parent, name);
    const second = this.#findEntry(toParent, toName);
    this.#pointEntry(parent, first.minor, second.ino, second.type);
    this.#pointEntry(toParent, second.minor, first.ino, first.type);
    let linksToTarget = 0;
    if (this.#moveTo(first.ino, toParent, second.minor, time)) linksToTarget++;
    if (this.#moveTo(second.ino, parent, first.minor, time)) linksToTarget--;
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
}
