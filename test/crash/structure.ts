/**
 * Whether a volume that has just been opened is whole: the tree, the reference counts, the names, links and strings, the live bytes
 * of the arenas, the counters and the blobs, each counted anew.
 */
import { blobPath } from '../../src/blobs/blob-store.js';
import { recordBytes } from '../../src/store/arena.js';
import type { Disk } from '../../src/store/disk.js';
import { type Address, asAddress, asIno, asPageNumber, ROOT_INO } from '../../src/store/units.js';
import { KEY_WORDS } from '../../src/tree/key.js';
import { branchSlot, countOf, levelOf } from '../../src/tree/page.js';
import { Inode, STORAGE_BLOB, STORAGE_PACK } from '../../src/volume/inode.js';
import {
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
} from '../../src/volume/items.js';
import { isDirectory, isRegular } from '../../src/volume/mode.js';
import type { Volume } from '../../src/volume/volume.js';

/** What the items of the tree add up to. */
class Census {
  readonly inodes = new Map<number, Inode>();
  readonly names = new Map<number, number>();
  readonly subdirectories = new Map<number, number>();
  readonly entries = new Map<number, number>();
  readonly xattrs = new Map<number, number>();
  readonly extents = new Set<number>();
  readonly live = [new Map<number, number>(), new Map<number, number>()];
}

const add = (counts: Map<number, number>, key: number, by = 1): void => {
  counts.set(key, (counts.get(key) ?? 0) + by);
};

/** The first thing that is wrong, or undefined. Throws what reading throws. */
export function structuralProblem(volume: Volume, disk: Disk): string | undefined {
  const census = takeCensus(volume);
  return (
    pagesProblem(volume) ?? inodesProblem(volume, census) ?? liveProblem(volume, census) ?? blobsProblem(disk, census)
  );
}

function takeCensus(volume: Volume): Census {
  const { tree, strings, packs } = volume.state;
  const census = new Census();
  const segmentBytes = 256 * 1024;
  const countString = (address: Address): void => {
    strings.get(address);
    add(census.live[0], Math.floor(address / segmentBytes), recordBytes(strings.arena.capacity(address)));
  };
  const keys: { object: number; kind: number; minor: number }[] = [];
  for (let found = tree.seek(0, 0, 0); found; found = tree.next()) {
    keys.push({ object: tree.object, kind: tree.kind, minor: tree.minor });
  }
  for (const { object, kind, minor } of keys) {
    if (object === VOLUME_OBJECT) continue;
    tree.find(object, kind, minor);
    const address = asAddress(readU64(tree.words, tree.valueWord));
    switch (kind) {
      case KIND_INODE: {
        const inode = new Inode();
        inode.load(tree, asIno(object));
        census.inodes.set(object, inode);
        break;
      }
      case KIND_DIRENT: {
        const child = readU64(tree.words, tree.valueWord);
        const isChildDirectory = tree.words[tree.valueWord + 4] === 4;
        countString(volume.state.entries.nameAddress());
        add(census.names, child);
        add(census.entries, object);
        if (isChildDirectory) add(census.subdirectories, object);
        break;
      }
      case KIND_XATTR: {
        const value = asAddress(readU64(tree.words, tree.valueWord + 2));
        countString(address);
        countString(value);
        add(census.xattrs, object);
        break;
      }
      case KIND_SYMLINK:
        countString(address);
        break;
      case KIND_EXTENT:
        packs.get(address);
        add(census.live[1], Math.floor(address / segmentBytes), recordBytes(packs.arena.capacity(address)));
        census.extents.add(object);
        break;
    }
  }
  return census;
}

function pagesProblem(volume: Volume): string | undefined {
  const { pages, store } = volume.state;
  const parents = new Map<number, number>();
  const snapshots = store.catalog.all.filter(({ type }) => type === 'snapshot').map(({ root }) => root);
  const roots = [store.catalog.tree.root, ...store.volumes.map(({ tree }) => tree.root), ...snapshots, ...store.dying];
  const waiting: number[] = [...roots];
  for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
    add(parents, page);
    if ((parents.get(page) ?? 0) > 1) continue;
    const words = pages.words(asPageNumber(page));
    const base = pages.base(asPageNumber(page));
    if (levelOf(words, base) === 0) continue;
    for (let i = 0; i < countOf(words, base); i++) waiting.push(words[branchSlot(base, i) + KEY_WORDS]);
  }
  for (let page = 1; page < pages.file.capacity; page++) {
    const counted = pages.count(asPageNumber(page));
    if (counted !== (parents.get(page) ?? 0))
      return `page ${page} has ${parents.get(page) ?? 0} parents, counted ${counted}`;
  }
  return undefined;
}

function inodesProblem(volume: Volume, census: Census): string | undefined {
  let dataBytes = 0;
  for (const [ino, inode] of census.inodes) {
    const names = census.names.get(ino) ?? 0;
    const links = isDirectory(inode.mode) ? 2 + (census.subdirectories.get(ino) ?? 0) : names;
    if (inode.nlink !== links) return `inode ${ino} has ${inode.nlink} links, counted ${links}`;
    if (ino !== ROOT_INO && names === 0) return `inode ${ino} has no name`;
    if (inode.entries !== (census.entries.get(ino) ?? 0)) return `inode ${ino} has ${inode.entries} entries`;
    if (inode.xattrs !== (census.xattrs.get(ino) ?? 0)) return `inode ${ino} has ${inode.xattrs} extended attributes`;
    if ((inode.storage === STORAGE_PACK) !== census.extents.has(ino)) return `inode ${ino} and its extent disagree`;
    if (isRegular(inode.mode)) dataBytes += inode.size;
    if (ino >= volume.nextIno) return `inode ${ino} is not below the next number, ${volume.nextIno}`;
    if (inode.storage === STORAGE_BLOB && inode.blob >= volume.nextBlob)
      return `blob ${inode.blob} is not below the next`;
  }
  for (const ino of census.names.keys()) if (!census.inodes.has(ino)) return `a name leads to the missing inode ${ino}`;
  const { dataset: counters } = volume.state;
  if (counters.inodes !== census.inodes.size) return `${counters.inodes} inodes, counted ${census.inodes.size}`;
  if (counters.dataBytes !== dataBytes) return `${counters.dataBytes} bytes of data, counted ${dataBytes}`;
  return undefined;
}

function liveProblem(volume: Volume, census: Census): string | undefined {
  const arenas = [volume.state.strings.arena, volume.state.packs.arena];
  for (const [number, arena] of arenas.entries()) {
    for (const index of new Set([...arena.live.keys(), ...census.live[number].keys()])) {
      const [live, counted] = [arena.live.get(index) ?? 0, census.live[number].get(index) ?? 0];
      if (live !== counted) return `segment ${index} of arena ${number} has ${live} live bytes, counted ${counted}`;
    }
  }
  return undefined;
}

function blobsProblem(disk: Disk, census: Census): string | undefined {
  const seen = new Set<number>();
  for (const [ino, inode] of census.inodes) {
    if (inode.storage !== STORAGE_BLOB) continue;
    if (seen.has(inode.blob)) return `blob ${inode.blob} has two owners`;
    seen.add(inode.blob);
    if (!disk.exists(blobPath(inode.blob))) return `blob ${inode.blob} of inode ${ino} is missing`;
  }
  return undefined;
}

/** Blobs on the disk that no file has: allowed after a crash, not after a proper unmount. */
export function leftoverBlobs(volume: Volume, disk: Disk): string[] {
  const owned = new Set<string>();
  for (const inode of takeCensus(volume).inodes.values()) {
    if (inode.storage === STORAGE_BLOB) owned.add(blobPath(inode.blob));
  }
  const directories = disk.list('blobs').map((name) => `blobs/${name}`);
  return directories
    .flatMap((path) => disk.list(path).map((name) => `${path}/${name}`))
    .filter((path) => !owned.has(path));
}
