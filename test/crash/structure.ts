/**
 * Whether a store that has just been opened is whole: the trees of the catalog, of volumes and of snapshots, the page reference
 * counts, the counts of shared records, the names, links and strings, the live bytes of the arenas, the counters and the blobs, each
 * counted anew.
 */
import { blobPath } from '../../src/blobs/blob-store.js';
import { recordBytes } from '../../src/store/arena.js';
import type { Disk } from '../../src/store/disk.js';
import { asAddress, asBlobId, asIno, asPageNumber, type PageNumber, ROOT_INO } from '../../src/store/units.js';
import { KEY_WORDS } from '../../src/tree/key.js';
import { branchSlot, countOf, levelOf } from '../../src/tree/page.js';
import type { Dataset } from '../../src/volume/dataset.js';
import { chunksTo, FileParts } from '../../src/volume/file-parts.js';
import { hasBlob, Inode, STORAGE_PACK, STORAGE_PARTS } from '../../src/volume/inode.js';
import {
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_PART,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
} from '../../src/volume/items.js';
import { visitLeafRecords } from '../../src/volume/leaf-records.js';
import { isDirectory, isRegular } from '../../src/volume/mode.js';
import type { RecordKind } from '../../src/volume/record-references.js';
import type { StoreState, VolumeState } from '../../src/volume/state.js';
import type { Store } from '../../src/volume/store.js';
import { quotaProblem } from './quota-structure.js';

const SEGMENT_BYTES = 256 * 1024;

const add = (counts: Map<number, number>, key: number, by = 1): void => {
  counts.set(key, (counts.get(key) ?? 0) + by);
};

/** The first thing that is wrong, or undefined. Throws what reading throws. */
export function structuralProblem({ state }: Store, disk: Disk): string | undefined {
  const pages = new PageCensus(state);
  return (
    pages.problem() ??
    new RecordCensus(state, pages.leaves).problem(disk) ??
    state.catalog.all.map((dataset) => treeProblem(state, dataset)).find((problem) => problem !== undefined)
  );
}

/** Every page that some root leads to, each looked at once. */
class PageCensus {
  readonly #state: StoreState;
  readonly #parents = new Map<number, number>();
  readonly leaves: PageNumber[] = [];

  constructor(state: StoreState) {
    this.#state = state;
    const { pages, catalog, dying, volumes } = state;
    const snapshots = catalog.all.filter(({ type }) => type === 'snapshot').map(({ root }) => root);
    const waiting: number[] = [catalog.tree.root, ...volumes.map(({ tree }) => tree.root), ...snapshots, ...dying];
    for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
      add(this.#parents, page);
      if ((this.#parents.get(page) ?? 0) > 1) continue;
      const words = pages.words(asPageNumber(page));
      const base = pages.base(asPageNumber(page));
      if (levelOf(words, base) === 0) this.leaves.push(asPageNumber(page));
      else for (let i = 0; i < countOf(words, base); i++) waiting.push(words[branchSlot(base, i) + KEY_WORDS]);
    }
  }

  problem(): string | undefined {
    const { pages } = this.#state;
    for (let page = 1; page < pages.file.capacity; page++) {
      const counted = pages.count(asPageNumber(page));
      const parents = this.#parents.get(page) ?? 0;
      if (counted !== parents) return `page ${page} has ${parents} parents, counted ${counted}`;
    }
    return undefined;
  }
}

/** How many leaves point to each string, extent and blob. */
class RecordCensus {
  readonly #state: StoreState;
  readonly #counts: Readonly<Record<RecordKind, Map<number, number>>> = {
    string: new Map(),
    extent: new Map(),
    blob: new Map(),
  };

  constructor(state: StoreState, leaves: readonly PageNumber[]) {
    this.#state = state;
    for (const leaf of leaves) {
      visitLeafRecords(state.pages.words(leaf), state.pages.base(leaf), (record, number) =>
        add(this.#counts[record], number),
      );
    }
  }

  problem(disk: Disk): string | undefined {
    return this.#countsProblem() ?? this.#liveProblem() ?? this.#blobsProblem(disk);
  }

  #countsProblem(): string | undefined {
    const { references } = this.#state;
    for (const record of ['string', 'extent', 'blob'] as const) {
      for (const [number, counted] of this.#counts[record]) {
        const noted = references.count(record, number);
        if (noted !== counted) return `${record} ${number} is in ${counted} leaves, noted are ${noted}`;
      }
    }
    return undefined;
  }

  #liveProblem(): string | undefined {
    const { strings, packs } = this.#state;
    const arenas = [
      { name: 'strings', arena: strings.arena, counts: this.#counts.string },
      { name: 'packs', arena: packs.arena, counts: this.#counts.extent },
    ];
    for (const { name, arena, counts } of arenas) {
      const live = new Map<number, number>();
      for (const number of counts.keys()) {
        const address = asAddress(number);
        arena.read(address);
        add(live, Math.floor(address / SEGMENT_BYTES), recordBytes(arena.capacity(address)));
      }
      for (const index of new Set([...arena.live.keys(), ...live.keys()])) {
        const [noted, counted] = [arena.live.get(index) ?? 0, live.get(index) ?? 0];
        if (noted !== counted) return `segment ${index} of the ${name} has ${counted} live bytes, noted are ${noted}`;
      }
    }
    return undefined;
  }

  #blobsProblem(disk: Disk): string | undefined {
    for (const number of this.#counts.blob.keys()) {
      if (number >= this.#state.counters.nextBlob) return `blob ${number} is not below the next`;
      if (!disk.exists(blobPath(asBlobId(number)))) return `blob ${number} is missing`;
    }
    return undefined;
  }
}

/** What the items of a tree add up to. */
interface TreeCensus {
  readonly inodes: Map<number, Inode>;
  readonly names: Map<number, number>;
  readonly subdirectories: Map<number, number>;
  readonly entries: Map<number, number>;
  readonly xattrs: Map<number, number>;
  readonly extents: Set<number>;
  readonly withParts: Set<number>;
  /** Where entries lead, by directory and minor key. */
  readonly leadsTo: Map<string, number>;
}

function censusOf(volume: VolumeState): TreeCensus {
  const { tree } = volume;
  const census: TreeCensus = {
    inodes: new Map(),
    names: new Map(),
    subdirectories: new Map(),
    entries: new Map(),
    xattrs: new Map(),
    extents: new Set(),
    withParts: new Set(),
    leadsTo: new Map(),
  };
  const inodes: number[] = [];
  for (let found = tree.seek(0, 0, 0); found; found = tree.next()) {
    const { object, kind, minor } = tree;
    if (object === VOLUME_OBJECT) continue;
    if (kind === KIND_INODE) inodes.push(object);
    if (kind === KIND_XATTR) add(census.xattrs, object);
    if (kind === KIND_EXTENT) census.extents.add(object);
    if (kind === KIND_PART) census.withParts.add(object);
    if (kind !== KIND_DIRENT) continue;
    const child = readU64(tree.words, tree.valueWord);
    add(census.names, child);
    add(census.entries, object);
    census.leadsTo.set(`${object}/${minor}`, child);
    if (tree.words[tree.valueWord + 4] === 4) add(census.subdirectories, object);
  }
  for (const ino of inodes) {
    const inode = new Inode();
    inode.load(tree, asIno(ino));
    census.inodes.set(ino, inode);
  }
  return census;
}

function treeProblem(state: StoreState, dataset: Dataset): string | undefined {
  const volume = state.volumeOf(dataset);
  const census = censusOf(volume);
  for (const [ino, inode] of census.inodes) {
    const problem = inodeProblem(volume, census, ino, inode);
    if (problem !== undefined) return `${dataset.name}: inode ${ino} ${problem}`;
    if (ino >= state.counters.nextIno) return `inode ${ino} is not below the next number, ${state.counters.nextIno}`;
  }
  for (const ino of census.names.keys()) if (!census.inodes.has(ino)) return `a name leads to the missing inode ${ino}`;
  const files = [...census.inodes.values()].filter(({ mode }) => isRegular(mode));
  const dataBytes = files.reduce((sum, { size }) => sum + size, 0);
  if (dataset.inodes !== census.inodes.size) return `${census.inodes.size} inodes, noted are ${dataset.inodes}`;
  if (dataset.dataBytes !== dataBytes) return `${dataBytes} bytes of data, noted are ${dataset.dataBytes}`;
  return quotaProblem(volume, [...census.inodes.values()]);
}

function inodeProblem(volume: VolumeState, census: TreeCensus, ino: number, inode: Inode): string | undefined {
  const names = census.names.get(ino) ?? 0;
  const isOrphan = names === 0 && ino !== ROOT_INO;
  const directory = isDirectory(inode.mode);
  const links = directory && !isOrphan ? 2 + (census.subdirectories.get(ino) ?? 0) : names;
  if (inode.nlink !== links) return `has ${inode.nlink} links, counted ${links}`;
  if (isOrphan && volume.dataset.type === 'volume' && !volume.orphans.has(inode.ino)) return 'has no name';
  if (inode.entries !== (census.entries.get(ino) ?? 0)) return `has ${inode.entries} entries`;
  if (inode.xattrs !== (census.xattrs.get(ino) ?? 0)) return `has ${inode.xattrs} extended attributes`;
  if ((inode.storage === STORAGE_PACK) !== census.extents.has(ino)) return 'and its extent disagree';
  if ((inode.storage === STORAGE_PARTS) !== census.withParts.has(ino)) return 'and its parts disagree';
  if (hasBlob(inode.storage) !== (inode.blob !== 0)) return 'and its blob disagree';
  const isKnown = directory || inode.parent !== 0;
  if (!isOrphan && ino !== ROOT_INO && isKnown) {
    if (census.leadsTo.get(`${inode.parent}/${inode.nameMinor}`) !== ino) return 'is not where its parent has its name';
  }
  return partsProblem(volume, inode);
}

function partsProblem(volume: VolumeState, inode: Inode): string | undefined {
  let last = 0;
  for (const { first, end } of new FileParts(volume).all(inode.ino)) {
    if (first < last || end <= first) return 'has parts that overlap';
    if (end > chunksTo(inode.size)) return 'has parts beyond its end';
    last = end;
  }
  return undefined;
}

/** Blobs on the disk that no file has: allowed after a crash, not after a proper unmount. */
export function leftoverBlobs({ state }: Store, disk: Disk): string[] {
  const owned = new Set<string>();
  for (const leaf of new PageCensus(state).leaves) {
    visitLeafRecords(state.pages.words(leaf), state.pages.base(leaf), (record, number) => {
      if (record === 'blob') owned.add(blobPath(asBlobId(number)));
    });
  }
  const directories = disk.list('blobs').map((name) => `blobs/${name}`);
  return directories
    .flatMap((path) => disk.list(path).map((name) => `${path}/${name}`))
    .filter((path) => !owned.has(path));
}
