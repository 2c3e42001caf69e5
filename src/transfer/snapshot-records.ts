/**
 * The records of a whole snapshot, and those that lead from one snapshot to a later one, in the order that format.ts asks for.
 *
 * They follow from the snapshots alone, so that the same ones come again when a broken stream is gone on with.
 */
import { CorruptionError } from '../errors/corruption.js';
import { type Ino, ROOT_INO } from '../store/units.js';
import { treeDifferences } from '../tree/tree-diff.js';
import { differencesByInode, type Entry } from '../volume/diff-items.js';
import { TreeNames } from '../volume/diff-names.js';
import type { Inode } from '../volume/inode.js';
import { InodeSet } from '../volume/inode-set.js';
import { KIND_DIRENT, readU64 } from '../volume/items.js';
import { isDirectory } from '../volume/mode.js';
import type { PinnedTree } from '../volume/pinned-tree.js';
import { FileRecords } from './file-records.js';
import { attributesRecord, baseRecord, NAMED, nameRecord, type OutgoingRecord } from './outgoing-records.js';

type Records = AsyncGenerator<OutgoingRecord, void, undefined>;

/** An entry of a directory. */
interface Place extends Entry {
  readonly directory: Ino;
}

const hasSeveralNames = ({ mode, nlink }: Inode): boolean => !isDirectory(mode) && nlink > 1;

/** The inode of an entry; entries of a snapshot lead to inodes that it has. */
function required(names: TreeNames, ino: Ino): Inode {
  const inode = names.live(ino);
  if (inode === undefined) throw new Error(`inode ${ino} has a name and no record`);
  return inode;
}

/** The entries of a directory of a tree that stays as it is. */
function* entriesOf({ volume }: PinnedTree, directory: Ino): Generator<Place, void, undefined> {
  const { tree, strings, entries } = volume.state;
  let minor = 0;
  while (tree.seek(directory, KIND_DIRENT, minor) && tree.isAt(directory, KIND_DIRENT)) {
    minor = tree.minor + 1;
    const ino = readU64(tree.words, tree.valueWord) as Ino;
    yield { directory, ino, name: strings.get(entries.nameAddress()) };
  }
}

/** All of a snapshot. */
export async function* recordsOfAll(snapshot: PinnedTree): Records {
  const names = new TreeNames(snapshot.volume.state);
  const files = new FileRecords(snapshot);
  const root = required(names, ROOT_INO);
  yield* files.contents(root);
  /** Directories, and files with several names: their attributes change with each name. */
  const last: Ino[] = [ROOT_INO];
  const linked = new Set<Ino>();
  const directories = new InodeSet().add(ROOT_INO);
  const waiting: Ino[] = [ROOT_INO];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { ino, name } of entriesOf(snapshot, directory)) {
      if (linked.has(ino)) {
        yield nameRecord('name', ino, directory, name);
        continue;
      }
      if (directories.has(ino)) throw new CorruptionError(`inode ${ino}`, 'a directory with several names');
      const inode = required(names, ino);
      yield files.make(inode, directory, name);
      yield* files.contents(inode);
      if (isDirectory(inode.mode)) {
        waiting.push(ino);
        directories.add(ino);
      }
      if (hasSeveralNames(inode)) linked.add(ino);
      if (isDirectory(inode.mode) || hasSeveralNames(inode)) last.push(ino);
      else yield attributesRecord(inode);
    }
  }
  for (const ino of last) yield attributesRecord(required(names, ino));
}

/** What leads from one snapshot to another of the same store. */
export async function* recordsBetween(base: PinnedTree, snapshot: PinnedTree): Records {
  yield* new Changes(base, snapshot).records();
}

class Changes {
  readonly #base: PinnedTree;
  readonly #snapshot: PinnedTree;
  readonly #before: TreeNames;
  readonly #after: TreeNames;
  readonly #oldFiles: FileRecords;
  readonly #files: FileRecords;
  readonly #gone: Place[] = [];
  readonly #came: Place[] = [];
  readonly #changed: Ino[] = [];
  /** Inodes of the base that have been introduced, and new inodes that have been made. */
  readonly #introduced = new Set<Ino>([ROOT_INO]);
  readonly #made = new Set<Ino>();
  /** New directories for which the ones above are or were made. */
  readonly #entered = new Set<Ino>();
  readonly #last = new Set<Ino>([ROOT_INO]);

  constructor(base: PinnedTree, snapshot: PinnedTree) {
    this.#base = base;
    this.#snapshot = snapshot;
    this.#before = new TreeNames(base.volume.state);
    this.#after = new TreeNames(snapshot.volume.state);
    this.#oldFiles = new FileRecords(base);
    this.#files = new FileRecords(snapshot);
  }

  async *records(): Records {
    this.#collect();
    yield* this.#introduceAll();
    for (const { ino, directory, name } of this.#gone) yield nameRecord('detach', ino, directory, name);
    const more: Place[] = [];
    for (const place of this.#came) {
      // Directories have one name, and may have been made for what is in them.
      if (this.#isKnown(place.ino)) more.push(place);
      else if (!this.#made.has(place.ino)) yield* this.#make(place);
      else if (!isDirectory(required(this.#after, place.ino).mode)) more.push(place);
    }
    for (const { ino, directory, name } of more) yield nameRecord('name', ino, directory, name);
    yield NAMED;
    for (const ino of this.#changed) {
      const [before, after] = [this.#before.live(ino), this.#after.live(ino)];
      if (before === undefined || after === undefined) continue;
      yield* this.#files.changes(this.#oldFiles, before, after);
      this.#last.add(ino);
    }
    for (const ino of this.#last) yield attributesRecord(required(this.#after, ino));
  }

  #collect(): void {
    const { state } = this.#snapshot.volume;
    const differences = treeDifferences(state.pages, this.#base.root, this.#snapshot.root);
    for (const difference of differencesByInode(state, differences)) {
      if (difference.type === 'inode') {
        this.#changed.push(difference.ino);
        continue;
      }
      const { directory, before, after } = difference;
      if (before !== undefined) this.#gone.push({ directory, ...before });
      if (after !== undefined) this.#came.push({ directory, ...after });
    }
  }

  /** Whether both snapshots have an inode. */
  #isKnown(ino: Ino): boolean {
    return this.#before.live(ino) !== undefined;
  }

  /** Introduces the inodes of the base that the records are about. */
  async *#introduceAll(): Records {
    for (const { directory, ino } of this.#gone) {
      yield* this.#introduce(directory);
      yield* this.#introduce(ino);
    }
    for (const { directory, ino } of this.#came) {
      yield* this.#introduce(directory);
      yield* this.#introduce(ino);
    }
    for (const ino of this.#changed) if (this.#after.live(ino) !== undefined) yield* this.#introduce(ino);
  }

  async *#introduce(ino: Ino): Records {
    const inode = this.#introduced.has(ino) ? undefined : this.#before.live(ino);
    if (inode === undefined) return;
    this.#introduced.add(ino);
    const { parent, name } = await this.#before.place(inode);
    yield* this.#introduce(parent);
    yield baseRecord(inode, parent, name);
  }

  /** Makes a new inode under one of its names, after the directory that has it. */
  async *#make({ directory, ino, name }: Place): Records {
    yield* this.#makeDirectory(directory);
    if (this.#made.has(ino)) return;
    this.#made.add(ino);
    const inode = required(this.#after, ino);
    yield this.#files.make(inode, directory, name);
    yield* this.#files.contents(inode);
    if (isDirectory(inode.mode) || hasSeveralNames(inode)) this.#last.add(ino);
    else yield attributesRecord(inode);
  }

  async *#makeDirectory(ino: Ino): Records {
    if (this.#isKnown(ino) || this.#made.has(ino)) return;
    if (this.#entered.has(ino)) throw new CorruptionError(`inode ${ino}`, 'a directory that contains itself');
    this.#entered.add(ino);
    const { parent, name } = await this.#after.place(required(this.#after, ino));
    yield* this.#make({ directory: parent, ino, name });
  }
}
