/**
 * Names and paths of inodes in one tree, from the inode up.
 *
 * An inode notes its parent and the key of one of its entries there (inode.ts). What it notes is checked against the entry. It is
 * missing for inodes of stores that were made in format 1, and for files with several names that have lost the noted one: at the
 * first of those, all directories are looked through once for the entries that nobody notes.
 */
import { setImmediate } from 'node:timers/promises';
import { CorruptionError } from '../errors/corruption.js';
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import { Tree } from '../tree/tree.js';
import { Inode } from './inode.js';
import { KIND_DIRENT, readU64 } from './items.js';
import { isDirectory } from './mode.js';
import type { VolumeState } from './state.js';

/** Where a name of an inode is. */
export interface NamePlace {
  readonly parent: Ino;
  readonly name: Uint8Array;
}

/** Entries looked at before other work is let in. */
const ENTRIES_AT_ONCE = 2000;
const SLASH = Buffer.from('/');
const NO_NAME = Buffer.alloc(0);

/** A tree must stay as it is while its names are looked up. */
export class TreeNames {
  readonly #state: VolumeState;
  readonly #directoryPaths = new Map<Ino, Buffer>([[ROOT_INO, NO_NAME]]);
  /** By inode, the keys of entries that their inodes do not note. */
  #unnoted: Map<Ino, { readonly parent: Ino; readonly minor: number }> | undefined;

  constructor(state: VolumeState) {
    this.#state = state;
  }

  /** The record of an inode that has a name. */
  live(ino: Ino): Inode | undefined {
    const inode = new Inode();
    return inode.load(this.#state.tree, ino) && inode.nlink > 0 ? inode : undefined;
  }

  /** The inode that a name in a directory leads to. */
  child(directory: Ino, name: Uint8Array): Ino | undefined {
    const { tree, entries } = this.#state;
    return entries.find(directory, name) < 0 ? undefined : asIno(readU64(tree.words, tree.valueWord));
  }

  /**
   * Where an inode is; for one with several names, where one of them is. The root is in itself, without a name. Throws
   * CorruptionError for an inode without a name.
   */
  async place(inode: Inode): Promise<NamePlace> {
    if (inode.ino === ROOT_INO) return { parent: ROOT_INO, name: NO_NAME };
    const noted = this.#nameAt(inode.ino, inode.parent, inode.nameMinor);
    if (noted !== undefined) return noted;
    this.#unnoted ??= await this.#findUnnoted();
    const found = this.#unnoted.get(inode.ino);
    const place = found === undefined ? undefined : this.#nameAt(inode.ino, found.parent, found.minor);
    if (place === undefined) throw new CorruptionError(`inode ${inode.ino}`, 'no directory has an entry for it');
    return place;
  }

  /** The name of an entry, if it leads to this inode. */
  #nameAt(ino: Ino, parent: Ino, minor: number): NamePlace | undefined {
    const { tree, strings, entries } = this.#state;
    if (minor === 0 || !tree.find(parent, KIND_DIRENT, minor)) return undefined;
    if (readU64(tree.words, tree.valueWord) !== ino) return undefined;
    return { parent, name: strings.get(entries.nameAddress()) };
  }

  async #findUnnoted(): Promise<Map<Ino, { parent: Ino; minor: number }>> {
    const found = new Map<Ino, { parent: Ino; minor: number }>();
    const tree = new Tree(this.#state.pages, this.#state.tree.root);
    const child = new Inode();
    let count = 0;
    for (let more = tree.seek(0, 0, 0); more; more = tree.next()) {
      if (tree.kind !== KIND_DIRENT) continue;
      const [parent, minor] = [asIno(tree.object), tree.minor];
      const ino = asIno(readU64(tree.words, tree.valueWord));
      if (!child.load(this.#state.tree, ino)) continue;
      if (child.parent !== parent || child.nameMinor !== minor) found.set(ino, { parent, minor });
      if (++count % ENTRIES_AT_ONCE === 0) await setImmediate();
    }
    return found;
  }

  /** Paths of the files with several names that have one at a path or below it, which is looked through. */
  async severalBelow(path: Buffer): Promise<ReadonlyMap<Ino, Buffer>> {
    const found = new Map<Ino, Buffer>();
    const root = this.#inoAt(path);
    const waiting = root === undefined ? [] : [{ ino: root, path }];
    let count = 0;
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const inode = this.live(at.ino);
      if (++count % ENTRIES_AT_ONCE === 0) await setImmediate();
      if (inode === undefined) continue;
      if (isDirectory(inode.mode)) waiting.push(...this.#entriesOf(at.ino, at.path));
      else if (inode.nlink > 1 && !found.has(at.ino)) found.set(at.ino, at.path);
    }
    return found;
  }

  #inoAt(path: Buffer): Ino | undefined {
    let at: Ino | undefined = ROOT_INO;
    for (const name of path.length === 0 ? [] : path.toString('latin1').split('/')) {
      at = at === undefined ? undefined : this.child(at, Buffer.from(name, 'latin1'));
    }
    return at;
  }

  #entriesOf(directory: Ino, path: Buffer): { readonly ino: Ino; readonly path: Buffer }[] {
    const { tree, strings, entries } = this.#state;
    const found: { readonly ino: Ino; readonly path: Buffer }[] = [];
    for (let more = tree.seek(directory, KIND_DIRENT, 0); more; more = tree.next()) {
      if (!tree.isAt(directory, KIND_DIRENT)) break;
      const name = strings.get(entries.nameAddress());
      const ino = asIno(readU64(tree.words, tree.valueWord));
      found.push({ ino, path: path.length === 0 ? Buffer.from(name) : Buffer.concat([path, SLASH, name]) });
    }
    return found;
  }

  /** The path of a name, without a slash before it. */
  async path({ parent, name }: NamePlace): Promise<Buffer> {
    const directory = await this.directoryPath(parent);
    return directory.length === 0 ? Buffer.from(name) : Buffer.concat([directory, SLASH, name]);
  }

  /** The path of a directory; empty for the root. Throws CorruptionError for one that the root does not lead to. */
  async directoryPath(ino: Ino): Promise<Buffer> {
    const way = new Map<Ino, Uint8Array>();
    let known = this.#directoryPaths.get(ino);
    for (let at = ino; known === undefined; known = this.#directoryPaths.get(at)) {
      const inode = this.live(at);
      if (inode === undefined) throw new CorruptionError(`inode ${at}`, 'a directory that has entries is missing');
      if (way.has(at)) throw new CorruptionError(`inode ${at}`, 'a directory that contains itself');
      const { parent, name } = await this.place(inode);
      way.set(at, name);
      at = parent;
    }
    for (const [directory, name] of [...way].reverse()) {
      known = known.length === 0 ? Buffer.from(name) : Buffer.concat([known, SLASH, name]);
      this.#directoryPaths.set(directory, known);
    }
    return known;
  }
}
