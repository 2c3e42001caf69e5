/**
 * Each kind of damage, planted alone: razorfsck finds it, the repair mends it, a second check is content, and everything that was
 * not damaged reads as before.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { blobPath } from '../../src/blobs/blob-store.js';
import type { FindingCode } from '../../src/check/findings.js';
import { crc32cPages } from '../../src/native/addon.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { asBlobId, asIno, ROOT_INO } from '../../src/store/units.js';
import { referencesName } from '../../src/tree/references.js';
import { Inode, STORAGE_BLOB, STORAGE_PACK } from '../../src/volume/inode.js';
import {
  KIND_DEAD_BLOB,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_SEGMENT,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
  writeU64,
} from '../../src/volume/items.js';
import type { VolumeState } from '../../src/volume/state.js';
import {
  changeSuperblock,
  flip,
  itemsOf,
  leavesOf,
  overwrite,
  pagePlace,
  readPage,
  superblockOf,
  tamper,
  writePage,
} from './damage.js';
import { type Contents, check, contentsOfStore, copyStore, makeStore, repair, SEGMENT_BYTES } from './store-fixture.js';

t.setTimeout(300_000);
const store = await makeStore(t);
const before = await contentsOfStore(copyStore(t, store));

interface Case {
  readonly plant: (directory: string) => void | Promise<void>;
  /** What is found, at least. */
  readonly finds: FindingCode;
  /** Nothing else is. */
  readonly only?: boolean;
  /** How many paths may be missing or changed after the repair (beside those under /lost+found). */
  readonly lostMax?: number;
  /** Names expected in /lost+found. */
  readonly puts?: RegExp;
}

const onInode =
  (change: (inode: Inode, state: VolumeState) => void, pick: (inode: Inode) => boolean) =>
  (directory: string): Promise<void> =>
    tamper(directory, (state) => {
      const inode = new Inode();
      for (let ino = state.counters.nextIno - 1; ino > 1; ino--) {
        if (!inode.load(state.tree, asIno(ino)) || !pick(inode)) continue;
        change(inode, state);
        inode.store(state.tree);
        return;
      }
      throw new Error('no such inode');
    });

const isDirectory = (inode: Inode): boolean => inode.mode >>> 12 === 4;
const isFile = (inode: Inode): boolean => inode.mode >>> 12 === 8;
const hasExtent = (inode: Inode): boolean => inode.storage === STORAGE_PACK;
const hasBlob = (inode: Inode): boolean => inode.storage === STORAGE_BLOB;

/** Flips a bit of the record that the first item of a kind points to. */
const flipRecord = (
  directory: string,
  kind: number,
  word: number,
  file: (segment: number) => string,
  offset = 32,
): void => {
  const item = itemsOf(directory, kind, 5)[3];
  const address = readU64(item.value, word);
  flip(join(directory, file(Math.floor(address / SEGMENT_BYTES))), (address % SEGMENT_BYTES) + offset);
};
const stringsFile = (segment: number): string => (segment === 0 ? 'strings.dat' : `strings.${segment}.dat`);
const packFile = (segment: number): string => `packs/${segment}`;

const firstOf = (state: VolumeState, kind: number): { readonly object: number; readonly minor: number } => {
  for (let found = state.tree.seek(1, 0, 0); found; found = state.tree.next()) {
    if (state.tree.kind === kind) return { object: state.tree.object, minor: state.tree.minor };
  }
  throw new Error('no such item');
};

const damagePage = (directory: string, page: number, byte = 700): void => {
  const { file, position } = pagePlace(page);
  flip(join(directory, file), position + byte);
};

const CASES: Readonly<Record<string, Case>> = {
  'a bit of a leaf': {
    plant: (directory) => damagePage(directory, leavesOf(directory)[5]),
    finds: 'page',
    lostMax: 120,
  },
  'the root page': {
    plant: (directory) => damagePage(directory, superblockOf(directory).root),
    finds: 'page',
    only: true,
  },
  'the first leaf': {
    plant: (directory) => damagePage(directory, leavesOf(directory)[0]),
    finds: 'page',
    lostMax: 700,
  },
  'two leaves swapped': {
    plant: (directory) => {
      const [a, b] = [leavesOf(directory)[3], leavesOf(directory)[7]];
      const [first, second] = [readPage(directory, a), readPage(directory, b)];
      writePage(directory, a, second);
      writePage(directory, b, first);
    },
    finds: 'page',
    lostMax: 120,
  },
  'a leaf of another epoch': {
    plant: (directory) => {
      const page = leavesOf(directory)[4];
      const words = readPage(directory, page);
      words[4] -= 1;
      writePage(directory, page, words);
    },
    finds: 'page',
    lostMax: 120,
  },
  'a leaf from the future': {
    plant: (directory) => {
      const page = leavesOf(directory)[4];
      const words = readPage(directory, page);
      words[4] += 1000;
      writePage(directory, page, words);
    },
    finds: 'page',
    lostMax: 120,
  },
  'a branch that leads to one leaf twice': {
    plant: (directory) => {
      const { root } = superblockOf(directory);
      const words = readPage(directory, root);
      words[8 + 4] = words[8 + 6 + 4];
      words[8 + 5] = words[8 + 6 + 5];
      writePage(directory, root, words);
    },
    finds: 'page',
    lostMax: 700,
  },
  'a branch that leads to itself': {
    plant: (directory) => {
      const { root } = superblockOf(directory);
      const words = readPage(directory, root);
      words[8 + 6 + 4] = root;
      writePage(directory, root, words);
    },
    finds: 'page',
    lostMax: 700,
  },
  'values over each other': {
    plant: (directory) => {
      const page = leavesOf(directory)[4];
      const words = readPage(directory, page);
      // The places of the first two values of 20 bytes or more.
      const slots = Array.from({ length: words[3] >>> 16 }, (_, index) => 8 + index * 5 + 4);
      const [a, b] = slots.filter((slot) => words[slot] >>> 16 === words[slots[2]] >>> 16);
      words[a] = words[b];
      writePage(directory, page, words);
    },
    finds: 'page',
    lostMax: 120,
  },
  'a reference count that is too low': {
    plant: (directory) => setReference(directory, superblockOf(directory).root, 0),
    finds: 'references',
    only: true,
  },
  'a reference count that is too high': {
    plant: (directory) => setReference(directory, superblockOf(directory).root, 3),
    finds: 'references',
    only: true,
  },
  'a bit of the reference counts': {
    plant: (directory) => flip(join(directory, referencesName(superblockOf(directory).epoch)), 100),
    finds: 'references',
    only: true,
  },
  'reference counts that are missing': {
    plant: (directory) => rmSync(join(directory, referencesName(superblockOf(directory).epoch))),
    finds: 'references',
    only: true,
  },
  'both files of reference counts missing': {
    plant: (directory) => {
      rmSync(join(directory, 'refs.a'));
      rmSync(join(directory, 'refs.b'));
    },
    finds: 'references',
    only: true,
  },
  'a torn superblock slot': {
    plant: (directory) =>
      flip(join(directory, 'superblock'), ((superblockOf(directory).sequence + 1) % 2) * PAGE_SIZE + 50),
    finds: 'superblock-slot',
    only: true,
  },
  'a superblock with one slot': {
    plant: (directory) => {
      const file = join(directory, 'superblock');
      const { sequence } = superblockOf(directory);
      if (sequence % 2 === 0) truncateSync(file, PAGE_SIZE);
      else overwrite(file, 0, new Uint8Array(PAGE_SIZE));
    },
    finds: 'superblock-slot',
    only: true,
  },
  'counters in the superblock': {
    plant: (directory) =>
      changeSuperblock(directory, { inodes: 3, dataBytes: 17, nextIno: asIno(9), nextBlob: asBlobId(2) }),
    finds: 'counter',
    only: true,
  },
  'a link count': { plant: onInode((inode) => (inode.nlink = 9), isFile), finds: 'link-count', only: true },
  'a link count of a directory': {
    plant: onInode((inode) => (inode.nlink = 9), isDirectory),
    finds: 'link-count',
    only: true,
  },
  'a count of entries': {
    plant: onInode((inode) => (inode.entries = 9000), isDirectory),
    finds: 'entry-count',
    only: true,
  },
  'a count of extended attributes': {
    plant: onInode((inode) => (inode.xattrs = 3), isFile),
    finds: 'xattr-count',
    only: true,
  },
  'the parent of a directory': {
    plant: onInode((inode) => (inode.parent = asIno(77)), isDirectory),
    finds: 'parent',
    only: true,
  },
  'a type that does not exist': {
    plant: onInode((inode) => (inode.mode = 0o030644), hasBlob),
    finds: 'inode-record',
    lostMax: 1,
  },
  nanoseconds: {
    plant: onInode((inode) => (inode.atimeNanoseconds = 2_000_000_000), isFile),
    finds: 'inode-record',
    only: true,
  },
  'data in no place that exists': {
    plant: onInode((inode) => (inode.storage = 7), hasBlob),
    finds: 'inode-record',
    lostMax: 1,
    puts: /lost$/,
  },
  'more data than the size': {
    plant: onInode((inode, state) => {
      state.counters.dataBytes -= 10;
      inode.size -= 10;
    }, hasExtent),
    finds: 'extent-length',
    only: true,
    lostMax: 1,
  },
  'an inode that is gone': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object } = firstOf(state, KIND_SYMLINK);
        state.tree.remove(object, KIND_INODE, 0);
        state.counters.inodes--;
      }),
    finds: 'lost-record',
    lostMax: 1,
  },
  'the record of a directory': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const inode = new Inode();
        for (let ino = 3; !(inode.load(state.tree, asIno(ino)) && isDirectory(inode)); ino++);
        state.tree.remove(inode.ino, KIND_INODE, 0);
        state.counters.inodes--;
      }),
    finds: 'lost-record',
    lostMax: 2,
  },
  'the root directory': {
    plant: (directory) =>
      tamper(directory, (state) => {
        state.tree.remove(ROOT_INO, KIND_INODE, 0);
        state.counters.inodes--;
      }),
    finds: 'root',
    lostMax: 1,
  },
  'an entry that leads nowhere': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = firstOf(state, KIND_DIRENT);
        state.tree.modify(object, KIND_DIRENT, minor);
        writeU64(state.tree.words, state.tree.valueWord, 1_000_000);
      }),
    finds: 'dangling-entry',
    lostMax: 120,
    puts: /^#\d+$/,
  },
  'an entry of another type': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = firstOf(state, KIND_DIRENT);
        state.tree.modify(object, KIND_DIRENT, minor);
        state.tree.words[state.tree.valueWord + 4] = 2;
      }),
    finds: 'entry-type',
    only: true,
  },
  'an inode without a name': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = lastFileEntry(state);
        state.tree.find(object, KIND_DIRENT, minor);
        state.strings.release(state.entries.nameAddress());
        state.tree.remove(object, KIND_DIRENT, minor);
        const inode = new Inode();
        inode.load(state.tree, asIno(object));
        inode.entries--;
        inode.store(state.tree);
      }),
    finds: 'unreachable',
    only: true,
    lostMax: 2,
    puts: /^#\d+$/,
  },
  'a directory in itself': {
    plant: (directory) =>
      tamper(directory, (state) => {
        // The entry of /a/directory 50 … is pointed to the directory above it.
        const inode = new Inode();
        let ino = 2;
        for (; ; ino++) {
          if (inode.load(state.tree, asIno(ino)) && isDirectory(inode) && inode.parent !== ROOT_INO) break;
        }
        const above = inode.parent;
        const name = firstEntryTo(state, ROOT_INO, above);
        state.tree.find(ROOT_INO, KIND_DIRENT, name);
        state.strings.release(state.entries.nameAddress());
        state.tree.remove(ROOT_INO, KIND_DIRENT, name);
        const minor = state.entries.find(ino, Buffer.from('loop')) < 0 ? state.entries.freeMinor : 0;
        const address = state.strings.add({ object: ino, kind: KIND_DIRENT, minor }, Buffer.from('loop'));
        state.tree.insert(ino, KIND_DIRENT, minor, 20);
        writeU64(state.tree.words, state.tree.valueWord, above);
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
        state.tree.words[state.tree.valueWord + 4] = 4;
      }),
    finds: 'cycle',
    lostMax: 120,
    puts: /^#\d+$/,
  },
  'a directory with two names': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const inode = new Inode();
        let ino = 2;
        while (!(inode.load(state.tree, asIno(ino)) && isDirectory(inode) && inode.parent !== ROOT_INO)) ino++;
        state.entries.find(ROOT_INO, Buffer.from('second'));
        const minor = state.entries.freeMinor;
        const address = state.strings.add({ object: ROOT_INO, kind: KIND_DIRENT, minor }, Buffer.from('second'));
        state.tree.insert(ROOT_INO, KIND_DIRENT, minor, 20);
        writeU64(state.tree.words, state.tree.valueWord, ino);
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
        state.tree.words[state.tree.valueWord + 4] = 4;
      }),
    finds: 'directory-names',
  },
  'a bit of a name': {
    plant: (directory) => flipRecord(directory, KIND_DIRENT, 2, stringsFile),
    finds: 'name',
    lostMax: 120,
    puts: /^#\d+$/,
  },
  'a name with a slash': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = lastFileEntry(state);
        const address = state.strings.add({ object, kind: KIND_DIRENT, minor }, Buffer.from('a/b'));
        state.tree.modify(object, KIND_DIRENT, minor);
        state.strings.release(state.entries.nameAddress());
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
      }),
    finds: 'name',
    only: true,
    lostMax: 2,
    puts: /^#\d+$/,
  },
  'a name filed under the hash of another': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = lastFileEntry(state);
        const address = state.strings.add({ object, kind: KIND_DIRENT, minor }, Buffer.from('other'));
        state.tree.modify(object, KIND_DIRENT, minor);
        state.strings.release(state.entries.nameAddress());
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
      }),
    finds: 'name',
    only: true,
    lostMax: 2,
  },
  'a name that belongs to another entry': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = lastFileEntry(state);
        const other = firstOf(state, KIND_DIRENT);
        state.tree.find(other.object, KIND_DIRENT, other.minor);
        const address = state.entries.nameAddress();
        state.tree.modify(object, KIND_DIRENT, minor);
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
      }),
    finds: 'name',
    lostMax: 2,
  },
  'a bit of an extended attribute': {
    plant: (directory) => flipRecord(directory, KIND_XATTR, 2, stringsFile),
    finds: 'xattr',
    only: true,
    lostMax: 2,
  },
  'a bit of a symlink': {
    plant: (directory) => flipRecord(directory, KIND_SYMLINK, 0, stringsFile),
    finds: 'symlink',
    only: true,
    lostMax: 2,
  },
  'a bit of a small file': {
    plant: (directory) => flipRecord(directory, KIND_EXTENT, 0, packFile, 50),
    finds: 'extent',
    only: true,
    lostMax: 2,
    puts: /^#\d+\.damaged$/,
  },
  'a small file beyond the end': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object } = firstOf(state, KIND_EXTENT);
        state.tree.modify(object, KIND_EXTENT, 0);
        writeU64(state.tree.words, state.tree.valueWord, 2 ** 40);
      }),
    finds: 'extent',
    only: true,
    lostMax: 3,
    puts: /^#\d+\.lost$/,
  },
  'an extent that is gone': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object } = firstOf(state, KIND_EXTENT);
        state.tree.remove(object, KIND_EXTENT, 0);
      }),
    finds: 'extent',
    lostMax: 3,
    puts: /^#\d+\.lost$/,
  },
  'a blob that is gone': {
    plant: (directory) => rmSync(join(directory, firstBlob(directory))),
    finds: 'blob-missing',
    only: true,
    lostMax: 2,
    puts: /^#\d+\.lost$/,
  },
  'a blob that is a directory': {
    plant: (directory) => {
      const path = join(directory, firstBlob(directory));
      rmSync(path);
      mkdirSync(path);
    },
    finds: 'blob-missing',
    lostMax: 2,
  },
  'a blob of two files': {
    plant: onInode((inode, state) => {
      const other = new Inode();
      for (let ino = 2; !(other.load(state.tree, asIno(ino)) && hasBlob(other)); ino++);
      inode.blob = other.blob;
    }, hasBlob),
    finds: 'blob-shared',
    lostMax: 2,
    puts: /lost$|^#blob/,
  },
  'a blob of no file': {
    plant: (directory) => {
      changeSuperblock(directory, { nextBlob: asBlobId(superblockOf(directory).nextBlob + 300) });
      const path = join(directory, blobPath(asBlobId(superblockOf(directory).nextBlob - 1)));
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, 'found');
    },
    finds: 'blob-unowned',
    only: true,
    lostMax: 1,
    puts: /^#blob-\d+$/,
  },
  'a living blob that is to be deleted': {
    plant: async (directory) => {
      const inode = itemsOf(directory, KIND_INODE).find(({ value }) => value[5] === STORAGE_BLOB)!;
      await tamper(directory, (state) => state.tree.insert(VOLUME_OBJECT, KIND_DEAD_BLOB, readU64(inode.value, 20), 0));
    },
    finds: 'dead-blob',
    only: true,
  },
  'an orphan with a name': {
    plant: (directory) => tamper(directory, (state) => state.tree.insert(VOLUME_OBJECT, KIND_ORPHAN, 2, 0)),
    finds: 'orphan',
  },
  'an orphan that is gone': {
    plant: (directory) => tamper(directory, (state) => state.tree.insert(VOLUME_OBJECT, KIND_ORPHAN, 999_999, 0)),
    finds: 'orphan',
    only: true,
  },
  'live bytes': {
    plant: (directory) =>
      tamper(directory, (state) => {
        state.tree.modify(VOLUME_OBJECT, KIND_SEGMENT, 0);
        writeU64(state.tree.words, state.tree.valueWord, 8);
      }),
    finds: 'live-bytes',
    only: true,
  },
  'an item of no kind': {
    plant: (directory) => tamper(directory, (state) => state.tree.insert(5, 99, 3, 12)),
    finds: 'item',
    only: true,
  },
  'nodes.dat cut off': {
    plant: (directory) => {
      const leaf = Math.max(...leavesOf(directory));
      const { file, position } = pagePlace(leaf);
      truncateSync(join(directory, file), position + 100);
      for (const name of readdirSync(directory)) {
        const match = /^nodes\.(\d+)\.dat$/.exec(name);
        if (match !== null && Number(match[1]) > Math.floor((leaf * PAGE_SIZE) / SEGMENT_BYTES))
          rmSync(join(directory, name));
      }
    },
    finds: 'file',
    lostMax: 700,
  },
  'strings.dat missing': { plant: (directory) => rmSync(join(directory, 'strings.dat')), finds: 'name', lostMax: 1000 },
  'a pack cut off': {
    plant: (directory) => truncateSync(join(directory, 'packs/0'), 5000),
    finds: 'extent',
    lostMax: 700,
  },
  'log segments of the same number': {
    plant: (directory) => {
      const names = readdirSync(join(directory, 'wal'));
      cpSync(join(directory, 'wal', names[0]), join(directory, 'wal', '99'));
    },
    finds: 'log',
    only: true,
  },
  'no log directory': {
    plant: (directory) => rmSync(join(directory, 'wal'), { recursive: true }),
    finds: 'file',
    only: true,
  },
};

function setReference(directory: string, page: number, count: number): void {
  const { epoch } = superblockOf(directory);
  const file = join(directory, referencesName(epoch));
  const block = Math.floor(page / 1020);
  const bytes = new Uint8Array(readFileSync(file).subarray(block * PAGE_SIZE, (block + 1) * PAGE_SIZE));
  new Uint32Array(bytes.buffer)[4 + (page % 1020)] = count;
  crc32cPages(bytes, Uint32Array.of(0), 1, 0);
  overwrite(file, block * PAGE_SIZE, bytes);
}

function firstBlob(directory: string): string {
  const inode = itemsOf(directory, KIND_INODE).find(({ value }) => value[5] === STORAGE_BLOB)!;
  return blobPath(asBlobId(readU64(inode.value, 20)));
}

/** An entry of a file with one name. */
function lastFileEntry(state: VolumeState): { readonly object: number; readonly minor: number } {
  const inode = new Inode();
  for (let ino = state.counters.nextIno - 1; ino > 1; ino--) {
    if (!inode.load(state.tree, asIno(ino)) || !isFile(inode) || inode.nlink !== 1) continue;
    for (let found = state.tree.seek(1, 0, 0); found; found = state.tree.next()) {
      if (state.tree.kind === KIND_DIRENT && readU64(state.tree.words, state.tree.valueWord) === ino) {
        return { object: state.tree.object, minor: state.tree.minor };
      }
    }
  }
  throw new Error('no such file');
}

function firstEntryTo(state: VolumeState, directory: number, ino: number): number {
  for (let found = state.tree.seek(directory, KIND_DIRENT, 0); found; found = state.tree.next()) {
    if (state.tree.isAt(directory, KIND_DIRENT) && readU64(state.tree.words, state.tree.valueWord) === ino)
      return state.tree.minor;
  }
  throw new Error('no such entry');
}

/** Paths that are missing or differ. */
const differences = (after: Contents): string[] =>
  [...before].flatMap(([path, description]) => {
    // The root changes when /lost+found is made in it.
    if (path === '/' && after.has('/lost+found')) return [];
    return after.get(path) === description ? [] : [path];
  });

async function checkCase(t: Test, { plant, finds, only, lostMax, puts }: Case): Promise<void> {
  const directory = copyStore(t, store);
  await plant(directory);
  const { errors } = await check(directory);
  t.ok(
    errors.some(({ code }) => code === finds),
    `found: ${finds}`,
  );
  if (only === true) t.strictSame([...new Set(errors.map(({ code }) => code))], [finds], 'and nothing else');
  await repair(directory);
  t.strictSame((await check(directory)).errors, [], 'no errors after the repair');
  t.ok(
    readdirSync(directory).some((name) => name.startsWith('repair-backup-')),
    'the originals are kept',
  );
  const after = await contentsOfStore(directory);
  const changed = differences(after);
  t.ok(
    changed.length <= (lostMax ?? 0),
    `what was not damaged is the same: ${changed.slice(0, 5)} (${changed.length})`,
  );
  if (puts !== undefined) {
    const names = [...after.keys()].flatMap((path) => /^\/lost\+found\/([^/]*)$/.exec(path)?.[1] ?? []);
    t.ok(
      names.some((name) => puts.test(name)),
      `in lost+found: ${names.slice(0, 5)}`,
    );
  }
  t.strictSame((await check(directory)).errors, [], 'no errors after the store was used');
}

t.test('a store that was unmounted properly is in order', async (t) => {
  const { findings } = await check(store);
  t.strictSame(findings, []);
});

for (const [name, damage] of Object.entries(CASES)) {
  t.test(name, (t) => checkCase(t, damage));
}
