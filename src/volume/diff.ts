/**
 * What has changed between two states of a volume, file by file, in time that grows with the number of changes.
 *
 * The items that differ (tree/tree-diff.ts) come in the order of inode numbers, and each is turned into a change as it comes, so that
 * nothing but paths of directories is kept. Names are followed by the entries of directories: an entry that came or went is a file
 * that was added or removed, unless the inode is in both states. Then the inode itself tells that it was renamed, or, of a file with
 * several names, that it got or lost one.
 *
 * Programs that save by writing a new file over the old name, and rollbacks of a part of a volume, put other inodes in the same
 * place. Where neither inode is in the other state, the two are compared as one file; the same goes for all below a directory that
 * was replaced.
 */
import type { Ino } from '../store/units.js';
import { treeDifferences } from '../tree/tree-diff.js';
import { differencesByInode, type Entry, type EntryDifference, type InodeDifference } from './diff-items.js';
import { type NamePlace, TreeNames } from './diff-names.js';
import { compareFiles, type FileChange, isSameType, summaryOf } from './file-change.js';
import type { Inode } from './inode.js';
import { isDirectory } from './mode.js';
import type { PinnedTree } from './pinned-tree.js';
import { Slice } from './slice.js';
import type { VolumeState } from './state.js';

const SLASH = 0x2f;

export interface DiffOptions {
  /** Only what is at this path, before or after, and below it. */
  readonly path?: Uint8Array;
}

/** One of the two states. */
class Side {
  readonly state: VolumeState;
  readonly names: TreeNames;
  /** Of directories that only this state has: those in their place in the other state, if there are any. */
  readonly counterparts = new Map<Ino, Ino | undefined>();

  constructor(pinned: PinnedTree) {
    this.state = pinned.volume.state;
    this.names = new TreeNames(this.state);
  }
}

const hasSeveralNames = (a: Inode, b: Inode): boolean => !isDirectory(a.mode) && (a.nlink > 1 || b.nlink > 1);

class Comparison {
  readonly #before: Side;
  readonly #after: Side;

  constructor(before: PinnedTree, after: PinnedTree) {
    this.#before = new Side(before);
    this.#after = new Side(after);
  }

  /** Reports what an entry or an inode that differs comes to. */
  async *changes(difference: EntryDifference | InodeDifference): AsyncGenerator<FileChange, void, undefined> {
    if (difference.type === 'inode') {
      const change = await this.#inode(difference);
      if (change !== undefined) yield change;
      return;
    }
    const { directory, before, after } = difference;
    if (before !== undefined) {
      const change = await this.#entryGone(directory, before);
      if (change !== undefined) yield change;
    }
    if (after !== undefined) {
      const change = await this.#entryCame(directory, after);
      if (change !== undefined) yield change;
    }
  }

  // ── Entries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #entryGone(directory: Ino, { ino, name }: Entry): Promise<FileChange | undefined> {
    const inode = this.#before.names.live(ino);
    if (inode === undefined) return undefined;
    const after = this.#after.names.live(ino);
    if (after !== undefined) {
      if (!hasSeveralNames(inode, after)) return undefined;
      return this.#change('unlinked', this.#before, { parent: directory, name }, inode, after);
    }
    // Whatever is new in the same place tells of both.
    if ((await this.#inSamePlace(this.#before, this.#after, directory, name)) !== undefined) return undefined;
    return this.#change('removed', this.#before, { parent: directory, name }, inode, undefined);
  }

  async #entryCame(directory: Ino, { ino, name }: Entry): Promise<FileChange | undefined> {
    const inode = this.#after.names.live(ino);
    if (inode === undefined) return undefined;
    const place = { parent: directory, name };
    const before = this.#before.names.live(ino);
    if (before !== undefined) {
      return hasSeveralNames(before, inode) ? this.#change('linked', this.#after, place, before, inode) : undefined;
    }
    const replaced = await this.#inSamePlace(this.#after, this.#before, directory, name);
    if (replaced === undefined) return this.#change('added', this.#after, place, undefined, inode);
    if (isSameType(replaced.inode, inode))
      return this.#compared(replaced.place, place, replaced.inode, inode, true, true);
    const change = await this.#change('retyped', this.#after, place, replaced.inode, inode);
    const was = await this.#before.names.path(replaced.place);
    return was.equals(change.path) ? change : { ...change, pathBefore: was };
  }

  async #change(
    type: FileChange['type'],
    side: Side,
    place: NamePlace,
    before: Inode | undefined,
    after: Inode | undefined,
  ): Promise<FileChange> {
    return {
      type,
      path: await side.names.path(place),
      pathBefore: undefined,
      before: before === undefined ? undefined : summaryOf(before),
      after: after === undefined ? undefined : summaryOf(after),
      aspects: [],
    };
  }

  /** What has the same path in the other state, if that is an inode which this state has not. */
  async #inSamePlace(
    side: Side,
    other: Side,
    directory: Ino,
    name: Uint8Array,
  ): Promise<{ readonly inode: Inode; readonly place: NamePlace } | undefined> {
    const parent = await this.#counterpart(side, other, directory);
    const ino = parent === undefined ? undefined : other.names.child(parent, name);
    if (parent === undefined || ino === undefined || side.names.live(ino) !== undefined) return undefined;
    const inode = other.names.live(ino);
    return inode === undefined ? undefined : { inode, place: { parent, name } };
  }

  /** The directory that a directory is in the other state: itself, or what is new in its place. */
  async #counterpart(side: Side, other: Side, directory: Ino): Promise<Ino | undefined> {
    if (other.names.live(directory) !== undefined) return directory;
    if (side.counterparts.has(directory)) return side.counterparts.get(directory);
    // Known as none while it is looked for, so that directories which contain each other come to an end.
    side.counterparts.set(directory, undefined);
    const inode = side.names.live(directory);
    let found: Inode | undefined;
    if (inode !== undefined) {
      const { parent, name } = await side.names.place(inode);
      found = (await this.#inSamePlace(side, other, parent, name))?.inode;
    }
    const ino = found !== undefined && isDirectory(found.mode) ? found.ino : undefined;
    side.counterparts.set(directory, ino);
    return ino;
  }

  // ── Inodes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #inode({ ino, data, xattrs }: InodeDifference): Promise<FileChange | undefined> {
    const before = this.#before.names.live(ino);
    const after = this.#after.names.live(ino);
    // What only one state has is told of by its entries.
    if (before === undefined || after === undefined) return undefined;
    const size = before.size !== after.size;
    const now = await this.#after.names.place(after);
    const isNoted = before.parent === after.parent && before.nameMinor === after.nameMinor && after.nameMinor !== 0;
    const old = isNoted ? now : await this.#before.names.place(before);
    return this.#compared(old, now, before, after, data || size || before.blob !== after.blob, xattrs);
  }

  async #compared(
    old: NamePlace,
    now: NamePlace,
    before: Inode,
    after: Inode,
    data: boolean,
    xattrs: boolean,
  ): Promise<FileChange | undefined> {
    const pair = {
      before: { state: this.#before.state, inode: before },
      after: { state: this.#after.state, inode: after },
    };
    const aspects = await compareFiles(pair, data, xattrs);
    const isRenamed = before.ino === after.ino && !hasSeveralNames(before, after) && (await this.#isMoved(old, now));
    if (!isRenamed && aspects.length === 0) return undefined;
    const path = await this.#after.names.path(now);
    const was = await this.#before.names.path(old);
    // Of a file with several names, the one before may be any of them.
    const isOpen = before.ino === after.ino && hasSeveralNames(before, after);
    return {
      type: isRenamed ? 'renamed' : 'modified',
      path,
      pathBefore: isOpen || path.equals(was) ? undefined : was,
      before: summaryOf(before),
      after: summaryOf(after),
      aspects,
    };
  }

  /** Whether an inode has another name, or is in another directory; one that was replaced as a whole is no other. */
  async #isMoved(old: NamePlace, now: NamePlace): Promise<boolean> {
    if (Buffer.compare(old.name, now.name) !== 0) return true;
    if (old.parent === now.parent) return false;
    return (await this.#counterpart(this.#before, this.#after, old.parent)) !== now.parent;
  }
}

/** Whether a path is another, or below it. */
function isWithin(path: Uint8Array | undefined, root: Uint8Array): boolean {
  if (path === undefined || path.length < root.length) return false;
  if (Buffer.compare(path.subarray(0, root.length), root) !== 0) return false;
  return root.length === 0 || path.length === root.length || path[root.length] === SLASH;
}

/** What is at a path, before or after, and below it. */
class PathFilter {
  readonly #path: Buffer;
  readonly #names: TreeNames;
  #several: ReadonlyMap<Ino, Buffer> | undefined;

  /** `names`: of the later state. */
  constructor(path: Uint8Array, names: TreeNames) {
    this.#path = Buffer.from(path);
    this.#names = names;
  }

  /** A change if it belongs here; that of a file with several names, by the one that is here. */
  async of(change: FileChange): Promise<FileChange | undefined> {
    const { type, path, pathBefore, after } = change;
    if (isWithin(path, this.#path) || isWithin(pathBefore, this.#path)) return change;
    if (type !== 'modified' || after === undefined || after.links < 2) return undefined;
    this.#several ??= await this.#names.severalBelow(this.#path);
    const found = this.#several.get(after.ino);
    return found === undefined ? undefined : { ...change, path: found };
  }
}

/** Compares two states of one store, which stay pinned meanwhile. Throws CorruptionError and DiskError. */
export async function* compareStates(
  before: PinnedTree,
  after: PinnedTree,
  options: DiffOptions = {},
): AsyncGenerator<FileChange, void, undefined> {
  const { state } = after.volume;
  const comparison = new Comparison(before, after);
  const filter = options.path === undefined ? undefined : new PathFilter(options.path, new TreeNames(state));
  const slice = new Slice();
  for (const difference of differencesByInode(state, treeDifferences(state.pages, before.root, after.root))) {
    for await (const change of comparison.changes(difference)) {
      const wanted = filter === undefined ? change : await filter.of(change);
      if (wanted !== undefined) yield wanted;
    }
    if (slice.isOver) await slice.next();
  }
}
