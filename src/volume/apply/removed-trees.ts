/**
 * Removed trees: directories that have lost their names with all that is in them, and files that went the same way.
 *
 * A reset leaves behind what does not persist, in no time (in-place-plan.ts). Here the names in it are taken away one by one, as rm(1)
 * does, and inodes without any are removed. Each step leaves the volume whole: a removed directory is an orphan with entries, and counts
 * with all that is below until that is gone. Nothing of it is logged, since nobody can see it: whoever replays the log finds
 * the trees again.
 */
import { CorruptionError } from '../../errors/corruption.js';
import { asIno, type Ino } from '../../store/units.js';
import { Inode } from '../inode.js';
import { KIND_DIRENT, readU64 } from '../items.js';
import { isDirectory } from '../mode.js';
import { type Place, TYPE_DIRECTORY } from '../paths.js';
import type { VolumeState } from '../state.js';
import { loadInode } from './load.js';

export class RemovedTrees {
  readonly #state: VolumeState;
  /** Removes an inode for good that has no name, and no entries. */
  readonly #reclaim: (ino: Ino) => void;
  readonly #inode = new Inode();

  constructor(state: VolumeState, reclaim: (ino: Ino) => void) {
    this.#state = state;
    this.#reclaim = reclaim;
  }

  /**
   * Takes up to `names` names away, all in one directory, or one inode without a name, from the trees in `removed`. Returns whether
   * there is more.
   */
  step(names: number): boolean {
    const { removed, orphans } = this.#state;
    const ino = removed.at(-1);
    if (ino === undefined) return false;
    if (!orphans.has(ino)) {
      removed.pop();
    } else if (loadInode(this.#state, this.#inode, ino).entries > 0) {
      const entries = this.#firstNames(ino, names);
      for (const entry of entries) this.#sweep(entry, ino);
      this.takeNames(entries, ino);
    } else {
      removed.pop();
      this.#reclaim(ino);
    }
    return removed.length > 0;
  }

  #firstNames(directory: Ino, count: number): Place[] {
    const { tree } = this.#state;
    const found: Place[] = [];
    for (let more = tree.seek(directory, KIND_DIRENT, 0); found.length < count; more = tree.next()) {
      if (!more || !tree.isAt(directory, KIND_DIRENT)) break;
      const { words, valueWord, minor } = tree;
      found.push({ ino: asIno(readU64(words, valueWord)), minor, type: words[valueWord + 4] });
    }
    if (found.length === 0) throw new CorruptionError(`inode ${directory}`, 'an entry is missing');
    return found;
  }

  /** Takes entries away from a directory. What they lead to is not changed. */
  takeNames(names: readonly Place[], directory: Ino): void {
    const { tree, strings, entries } = this.#state;
    for (const { minor } of names) {
      if (!tree.modify(directory, KIND_DIRENT, minor)) {
        throw new CorruptionError(`inode ${directory}`, 'an entry is missing');
      }
      strings.release(entries.nameAddress());
      tree.remove(directory, KIND_DIRENT, minor);
    }
    const inode = loadInode(this.#state, this.#inode, directory);
    inode.entries -= names.length;
    if (inode.nlink > 0) inode.nlink -= names.filter(({ type }) => type === TYPE_DIRECTORY).length;
    inode.store(tree);
  }

  /** What an entry leads to loses that name. With the last one it comes to be swept, a directory with all that is in it. */
  leave(entry: Place, directory: Ino): void {
    const { ino } = entry;
    if (this.#dropName(entry, directory)) this.#state.removed.push(ino);
  }

  /** What an entry leads to loses that name, and a file without another is removed. */
  #sweep(entry: Place, directory: Ino): void {
    const { ino, type, minor } = entry;
    const isTree = type === TYPE_DIRECTORY;
    const { parent, nameMinor, nlink } = loadInode(this.#state, this.#inode, ino);
    const hadOthers = parent !== directory || nameMinor !== minor;
    if (!isTree && nlink === 1 && !hadOthers) this.#reclaim(ino);
    else if (!this.#dropName(entry, directory)) return;
    else if (isTree) this.#state.removed.push(ino);
    else if (!(hadOthers && this.#isLeftOpen(ino))) this.#reclaim(ino);
  }

  /** What an entry leads to loses that name. Returns whether it was the last. */
  #dropName({ ino, minor }: Place, directory: Ino): boolean {
    const { orphans, tree } = this.#state;
    const inode = loadInode(this.#state, this.#inode, ino);
    inode.nlink = isDirectory(inode.mode) ? 0 : inode.nlink - 1;
    if (inode.nlink === 0 || (inode.parent === directory && inode.nameMinor === minor)) {
      inode.parent = asIno(0);
      inode.nameMinor = 0;
    }
    inode.store(tree);
    if (inode.nlink === 0) orphans.add(ino);
    return inode.nlink === 0;
  }

  /**
   * Whether a file without a name is left for those who may have opened it by one that was no part of the trees. While the log is
   * replayed it is: what it had done to it afterwards may follow.
   */
  #isLeftOpen(ino: Ino): boolean {
    const { store, dataset } = this.#state;
    return store.onOrphan?.(dataset.id, ino) ?? true;
  }
}
