/**
 * /lost+found: names for inodes and blobs that have none. It is made when something has to go there.
 *
 *   #INODE            a file or directory that lost its name
 *   #INODE.damaged    a file with the bytes that were found, though their checksum is wrong
 *   #INODE.lost       a file whose data is gone: its attributes are left
 *   #blob-NUMBER      data that belonged to no file
 */
import { ROOT_INO } from '../store/units.js';
import { STORAGE_BLOB } from '../volume/inode.js';
import { direntType, S_IFDIR, S_IFREG } from '../volume/mode.js';
import { TURNS } from '../volume/name-hash.js';
import { blobSize } from './blobs.js';
import type { InodeFates } from './inode-fates.js';
import { type KeptNames, LOST_AND_FOUND } from './kept-names.js';
import type { NewItems } from './new-items.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { Survey } from './survey.js';

/** Used when a file has the name already. */
const OTHER_NAME = Buffer.from('lost+found.razorfsck');

/** The number that the next inode gets, in whatever tree. */
export interface InoCounter {
  next: number;
}

/** An inode that the repair makes. */
export interface MadeInode {
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly parent: number;
  readonly entries: number;
  readonly storage: number;
  readonly blob: number;
  readonly size: number;
}

export class LostAndFound {
  readonly #store: StoreUnderCheck;
  readonly #fates: InodeFates;
  readonly #names: KeptNames;
  readonly #items: NewItems;
  /** Inodes that stay without a name until the next mount removes them. */
  readonly orphans = new Set<number>();
  /** The parent of directories that were put here. */
  readonly parents = new Map<number, number>();
  /** Names added to inodes, entries and subdirectories added to directories. */
  readonly addedNames = new Map<number, number>();
  readonly addedEntries = new Map<number, number>();
  readonly addedDirectories = new Map<number, number>();
  readonly made: MadeInode[] = [];
  readonly #numbers: InoCounter;
  #directory: number;
  #isNew = false;

  constructor(store: StoreUnderCheck, fates: InodeFates, names: KeptNames, items: NewItems, numbers: InoCounter) {
    this.#store = store;
    this.#fates = fates;
    this.#names = names;
    this.#items = items;
    this.#numbers = numbers;
    const { table } = names;
    if (table.length > 0) numbers.next = Math.max(numbers.next, table.ino(table.length - 1) + 1);
    this.#directory = names.usableLostAndFound();
  }

  /** Finds places for all that has none: inodes, and blobs that no file owns. */
  fill(survey: Survey, blobs: readonly number[]): void {
    this.#keepOrphans(survey);
    const { table } = this.#names;
    for (let index = 0; index < table.length; index++) {
      const ino = table.ino(index);
      if (ino === ROOT_INO || table.names(index) > 0 || this.orphans.has(ino)) continue;
      const evicted = this.#fates.fates.get(ino)?.evicted;
      this.#put(`#${ino}${evicted === undefined ? '' : `.${evicted}`}`, ino, table.type(index));
    }
    for (const blob of blobs) this.#adopt(blob);
    if (this.#isNew) this.#makeDirectory();
  }

  #keepOrphans(survey: Survey): void {
    const { table } = this.#names;
    for (const ino of survey.orphans) {
      const index = table.find(ino);
      if (index >= 0 && ino !== ROOT_INO && table.names(index) === 0) this.orphans.add(ino);
    }
  }

  #adopt(blob: number): void {
    const size = blobSize(this.#store, blob);
    if (typeof size === 'string') return;
    const ino = this.#numbers.next++;
    const mode = S_IFREG | 0o600;
    this.made.push({ ino, mode, nlink: 1, parent: 0, entries: 0, storage: STORAGE_BLOB, blob, size });
    this.#put(`#blob-${blob}`, ino, direntType(mode));
  }

  #put(name: string, ino: number, type: number): void {
    if (this.#directory === 0) {
      this.#directory = this.#numbers.next++;
      this.#isNew = true;
    }
    const { namesThere, minorsThere } = this.#names;
    let free = name;
    for (let copy = 1; namesThere.has(free); copy++) free = `${name}~${copy}`;
    namesThere.add(free);
    const bytes = Buffer.from(free, 'latin1');
    this.#items.addEntry(this.#directory, this.#freeMinor(bytes, minorsThere), bytes, ino, type);
    increase(this.addedEntries, this.#directory);
    increase(this.addedNames, ino);
    if (type === direntType(S_IFDIR)) {
      increase(this.addedDirectories, this.#directory);
      this.parents.set(ino, this.#directory);
    }
  }

  #freeMinor(name: Uint8Array, taken: Set<number>): number {
    const first = this.#store.hash.minor(name);
    let minor = first;
    while (taken.has(minor) && minor < first + TURNS - 1) minor++;
    taken.add(minor);
    return minor;
  }

  #makeDirectory(): void {
    const ino = this.#directory;
    const entries = this.addedEntries.get(ino) ?? 0;
    const nlink = 2 + (this.addedDirectories.get(ino) ?? 0);
    this.made.push({ ino, mode: S_IFDIR | 0o700, nlink, parent: ROOT_INO, entries, storage: 0, blob: 0, size: 0 });
    const name = this.#names.isNameTaken ? OTHER_NAME : LOST_AND_FOUND;
    const minor = this.#freeMinor(name, this.#names.minorsInRootLike(this.#store.hash.minor(name)));
    this.#items.addEntry(ROOT_INO, minor, name, ino, direntType(S_IFDIR));
    increase(this.addedEntries, ROOT_INO);
    increase(this.addedDirectories, ROOT_INO);
  }
}

const increase = (map: Map<number, number>, key: number): void => {
  map.set(key, (map.get(key) ?? 0) + 1);
};
