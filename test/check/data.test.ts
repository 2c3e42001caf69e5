/** Damage to names, extended attributes, symlinks, the data of files, and the space that they take. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { blobPath } from '../../src/blobs/blob-store.js';
import { asBlobId, asIno } from '../../src/store/units.js';
import { Inode, STORAGE_BLOB } from '../../src/volume/inode.js';
import {
  KIND_DEAD_BLOB,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_SEGMENT,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
  writeU64,
} from '../../src/volume/items.js';
import { changeSuperblock, flip, itemsOf, superblockOf, tamper } from './damage.js';
import { type Cases, firstOf, hasBlob, lastFileEntry, onInode, testCases } from './damage-case.js';
import { SEGMENT_BYTES } from './store-fixture.js';

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

function firstBlob(directory: string): string {
  const inode = itemsOf(directory, KIND_INODE).find(({ value }) => value[5] === STORAGE_BLOB)!;
  return blobPath(asBlobId(readU64(inode.value, 20)));
}

const CASES: Cases = {
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
  "an extent that is another file's": {
    plant: (directory) =>
      tamper(directory, (state) => {
        const [first, second] = itemsOf(directory, KIND_EXTENT, 2);
        state.tree.modify(first.object, KIND_EXTENT, 0);
        writeU64(state.tree.words, state.tree.valueWord, readU64(second.value, 0));
      }),
    finds: 'extent',
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
      await tamper(directory, ({ store }) =>
        store.catalog.tree.insert(VOLUME_OBJECT, KIND_DEAD_BLOB, readU64(inode.value, 20), 0),
      );
    },
    finds: 'dead-blob',
    only: true,
  },
  'live bytes': {
    plant: (directory) =>
      tamper(directory, ({ store }) => {
        const { tree } = store.catalog;
        tree.modify(VOLUME_OBJECT, KIND_SEGMENT, 0);
        writeU64(tree.words, tree.valueWord, 8);
      }),
    finds: 'live-bytes',
    only: true,
  },
  'strings.dat missing': { plant: (directory) => rmSync(join(directory, 'strings.dat')), finds: 'name', lostMax: 1000 },
  'a pack cut off at an odd length': {
    plant: (directory) => truncateSync(join(directory, 'packs/0'), 4095),
    finds: 'extent',
    lostMax: 700,
  },
  'strings cut off before the first': {
    plant: (directory) => truncateSync(join(directory, 'strings.dat'), 9),
    finds: 'name',
    lostMax: 1000,
  },
  'a pack cut off': {
    plant: (directory) => truncateSync(join(directory, 'packs/0'), 5000),
    finds: 'extent',
    lostMax: 700,
  },
};

await testCases(t, CASES);
