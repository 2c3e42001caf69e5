/** Damage to pages, reference counts, the superblock, and files of the store as a whole. */
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { crc32cPages } from '../../src/native/addon.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { asBlobId, asIno } from '../../src/store/units.js';
import { referencesName } from '../../src/tree/references.js';
import {
  changeSuperblock,
  datasetsOf,
  flip,
  leavesOf,
  overwrite,
  pagePlace,
  readPage,
  superblockOf,
  tamper,
  writePage,
} from './damage.js';
import { type Cases, testCases } from './damage-case.js';
import { SEGMENT_BYTES } from './store-fixture.js';

/** A branch, unlike that of the catalog. */
const rootOfMain = (directory: string): number => {
  const main = datasetsOf(directory).find(({ name }) => name === 'main');
  if (main === undefined) throw new Error('there is no main');
  return main.root;
};

const damagePage = (directory: string, page: number, byte = 700): void => {
  const { file, position } = pagePlace(page);
  flip(join(directory, file), position + byte);
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

const CASES: Cases = {
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
    lostMax: 160,
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
      const root = rootOfMain(directory);
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
      const root = rootOfMain(directory);
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

await testCases(t, CASES);
