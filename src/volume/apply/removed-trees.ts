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
import { TYPE_DIRECTORY } from '../paths.js';
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

  /** Takes one name away, or one inode without a name, from the trees in `removed`. Returns whether there is more. */
  step(): boolean {
    const { removed, orphans } = this.#state;
    const ino = removed.at(-1);
    if (ino === undefined) return false;
    if (!orphans.has(ino)) {
      removed.pop();
    } else if (loadInode(this.#state, this.#inode, ino).entries > 0) {
      this.#takeFirstName(ino);
    } else {
      removed.pop();
      this.#give(ino);
    }
    return removed.length > 0;
  }

  /** An inode without a name goes, unless somebody may have opened it by a name that was no part of the tree. */
  #give(ino: Ino): void {
    const { unlinked, onOrphan, removed } = this.#state;
    const isDoubtful = unlinked === undefined || unlinked.has(ino);
    if (removed.length === 0) unlinked?.clear();
    if (isDoubtful && onOrphan !== undefined && !isDirectory(this.#inode.mode)) onOrphan(ino);
    else this.#reclaim(ino);
  }

  #takeFirstName(directory: Ino): void {
    const { tree } = this.#state;
    if (!tree.seek(directory, KIND_DIRENT, 0) || !tree.isAt(directory, KIND_DIRENT)) {
      throw new CorruptionError(`inode ${directory}`, 'an entry is missing');
    }
    const { minor } = tree;
    this.dropName(asIno(readU64(tree.words, tree.valueWord)), directory, minor);
    this.takeName(directory, minor);
  }

  /** Takes an entry away from a directory. What it leads to is not changed. */
  takeName(directory: Ino, minor: number): void {
    const { tree, strings, entries } = this.#state;
    if (!tree.modify(directory, KIND_DIRENT, minor)) {
      throw new CorruptionError(`inode ${directory}`, 'an entry is missing');
    }
    const wasDirectory = tree.words[tree.valueWord + 4] === TYPE_DIRECTORY;
    strings.release(entries.nameAddress());
    tree.remove(directory, KIND_DIRENT, minor);
    const inode = loadInode(this.#state, this.#inode, directory);
    inode.entries--;
    if (wasDirectory && inode.nlink > 0) inode.nlink--;
    inode.store(tree);
  }

  /** An inode loses a name. With the last one it comes to be swept, a directory with all that is in it. */
  dropName(ino: Ino, directory: Ino, minor: number): void {
    const inode = loadInode(this.#state, this.#inode, ino);
    inode.nlink = isDirectory(inode.mode) ? 0 : inode.nlink - 1;
    if (inode.nlink === 0 || (inode.parent === directory && inode.nameMinor === minor)) {
      inode.parent = asIno(0);
      inode.nameMinor = 0;
    }
    inode.store(this.#state.tree);
    if (inode.nlink > 0) return;
    this.#state.orphans.add(ino);
    this.#state.removed.push(ino);
  }
}
