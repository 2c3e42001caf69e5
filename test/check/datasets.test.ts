/** Damage to the catalog, to snapshots and clones, and to what trees share. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { blobPath } from '../../src/blobs/blob-store.js';
import { asBlobId, asDatasetId, asIno, type asPageNumber } from '../../src/store/units.js';
import { Inode, STORAGE_PARTS } from '../../src/volume/inode.js';
import {
  KIND_DATASET,
  KIND_DYING,
  KIND_PART,
  KIND_QUOTA,
  KIND_SHARED_BLOB,
  KIND_SHARED_EXTENT,
  KIND_SHARED_STRING,
  PART_BYTES,
  readU64,
  VOLUME_OBJECT,
  writeU64,
} from '../../src/volume/items.js';
import type { VolumeState } from '../../src/volume/state.js';
import { changeSuperblock, datasetsOf, flip, itemsOf, leavesOf, pagePlace, superblockOf, tamper } from './damage.js';
import { type Cases, isFile, onInode, testCases } from './damage-case.js';
import { makeStoreWithSnapshots } from './snapshots-fixture.js';

const SNAPSHOTS: readonly string[] = ['main@first', 'main@second', 'main@replaced'];

const damagePage = (directory: string, page: number): void => {
  const { file, position } = pagePlace(page);
  flip(join(directory, file), position + 700);
};

const rootOf = (directory: string, name: string): ReturnType<typeof asPageNumber> =>
  datasetsOf(directory).find((dataset) => dataset.name === name)!.root;

/** Changes the value of the first item of a kind in the catalog. */
const onCatalogItem = (kind: number, change: (words: Uint32Array, at: number) => void) => (directory: string) =>
  tamper(directory, ({ store }) => {
    const { tree } = store.catalog;
    tree.seek(VOLUME_OBJECT, kind, 0);
    if (!tree.isAt(VOLUME_OBJECT, kind)) throw new Error('no such item');
    tree.modify(VOLUME_OBJECT, kind, tree.minor);
    change(tree.words, tree.valueWord);
  });

/** Changes the record of a volume or snapshot that is not open: those of volumes are written anew by a checkpoint. */
const onDataset =
  (name: string, change: (words: Uint32Array, at: number, state: VolumeState, id: number) => void) =>
  (directory: string) =>
    tamper(directory, (state) => {
      const { catalog } = state.store;
      const { id } = catalog.all.find((dataset) => dataset.name === name)!;
      state.store.forget(id);
      catalog.tree.modify(VOLUME_OBJECT, KIND_DATASET, id);
      change(catalog.tree.words, catalog.tree.valueWord, state, id);
    });

/** The first part of a file in main. */
function firstPart({ tree }: VolumeState): { ino: number; last: number; blob: number; count: number } {
  for (let more = tree.seek(1, 0, 0); more; more = tree.next()) {
    if (tree.kind !== KIND_PART) continue;
    const { object: ino, minor: last, words, valueWord: at } = tree;
    return { ino, last, blob: readU64(words, at), count: words[at + 2] };
  }
  throw new Error('no part');
}

function addPart(state: VolumeState, ino: number, last: number, blob: number, count: number): void {
  const { tree, store } = state;
  tree.insert(ino, KIND_PART, last, PART_BYTES);
  writeU64(tree.words, tree.valueWord, blob);
  tree.words[tree.valueWord + 2] = count;
  store.references.add('blob', blob);
}

const CASES: Cases = {
  // ── What is shared ───────────────────────────────────────────────────────────────────────────────────────────────────
  'a count of a shared name that is too low': {
    plant: onCatalogItem(KIND_SHARED_STRING, (words, at) => words[at]--),
    finds: 'shared',
  },
  'a count of a shared small file that is too high': {
    plant: onCatalogItem(KIND_SHARED_EXTENT, (words, at) => (words[at] += 5)),
    finds: 'shared',
    only: true,
  },
  'a count of a shared blob that is missing': {
    plant: (directory) =>
      tamper(directory, ({ store }) => {
        const { tree } = store.catalog;
        tree.seek(VOLUME_OBJECT, KIND_SHARED_BLOB, 0);
        tree.remove(VOLUME_OBJECT, KIND_SHARED_BLOB, tree.minor);
      }),
    finds: 'shared',
  },
  'a count of something that is not shared': {
    plant: (directory) =>
      tamper(directory, ({ store }) => store.catalog.tree.insert(VOLUME_OBJECT, KIND_SHARED_STRING, 64 + 8, 4)),
    finds: 'shared',
  },
  // ── What is dying ────────────────────────────────────────────────────────────────────────────────────────────────────
  'a dying page that is given up too often': {
    plant: onCatalogItem(KIND_DYING, (words, at) => words[at]++),
    finds: 'dying',
    only: true,
  },
  'a dying page that is not given up': {
    plant: onCatalogItem(KIND_DYING, (words, at) => (words[at] = 0)),
    finds: 'dying',
  },
  'a dying page that does not exist': {
    plant: (directory) =>
      tamper(directory, ({ store }) => {
        const { tree } = store.catalog;
        tree.insert(VOLUME_OBJECT, KIND_DYING, 900_000, 4);
        tree.words[tree.valueWord] = 1;
      }),
    finds: 'dying',
    only: true,
  },
  // ── Trees ────────────────────────────────────────────────────────────────────────────────────────────────────────────
  'a leaf that one snapshot has': {
    plant: (directory) => {
      const others = new Set(
        datasetsOf(directory).flatMap(({ name, root }) => (name === 'first' ? [] : leavesOf(directory, root))),
      );
      const own = leavesOf(directory, rootOf(directory, 'first')).find((leaf) => !others.has(leaf));
      damagePage(directory, own!);
    },
    finds: 'snapshot',
    drops: ['main@first'],
  },
  'the root of a snapshot': {
    plant: (directory) => damagePage(directory, rootOf(directory, 'replaced')),
    finds: 'snapshot',
    drops: ['main@replaced'],
  },
  'a leaf that main and a snapshot have': {
    plant: (directory) => {
      const leaves = (name: string): readonly number[] => leavesOf(directory, rootOf(directory, name));
      const others = new Set(['first', 'replaced', 'clone'].flatMap(leaves));
      const shared = leaves('main').filter((leaf) => leaves('second').includes(leaf) && !others.has(leaf));
      damagePage(directory, shared[0]);
    },
    finds: 'page',
    drops: ['main@second'],
    lostMax: 120,
  },
  'the root of main, which shares its leaves': {
    plant: (directory) => damagePage(directory, rootOf(directory, 'main')),
    finds: 'page',
    only: true,
  },
  'the root of the clone': {
    plant: (directory) => damagePage(directory, rootOf(directory, 'clone')),
    finds: 'page',
    only: true,
  },
  // ── The catalog ──────────────────────────────────────────────────────────────────────────────────────────────────────
  'the root of the catalog': {
    plant: (directory) => damagePage(directory, superblockOf(directory).root),
    finds: 'page',
    only: true,
    drops: ['clone', ...SNAPSHOTS],
  },
  'the record of main is gone': {
    plant: (directory) =>
      tamper(directory, ({ store, dataset }) => {
        store.forget(dataset.id);
        store.catalog.tree.remove(VOLUME_OBJECT, KIND_DATASET, dataset.id);
      }),
    finds: 'dataset',
  },
  'the record of a snapshot is gone': {
    plant: (directory) => tamper(directory, ({ store }) => store.catalog.tree.remove(VOLUME_OBJECT, KIND_DATASET, 3)),
    finds: 'references',
    drops: ['main@second'],
  },
  'a volume without a tree': {
    plant: onDataset('clone', (words, at) => (words[at] = 0)),
    finds: 'page',
  },
  'a snapshot whose tree is out of bounds': {
    plant: onDataset('second', (words, at) => (words[at] = 0x7fff_ffff)),
    finds: 'snapshot',
    drops: ['main@second'],
  },
  'a volume of no type': {
    plant: onDataset('clone', (words, at) => (words[at + 1] = 9)),
    finds: 'dataset',
    drops: ['clone'],
  },
  'a snapshot of no volume': {
    plant: onDataset('second', (words, at) => writeU64(words, at + 2, 77)),
    finds: 'dataset',
    only: true,
    drops: ['main@second'],
  },
  'a name that is there twice': {
    plant: (directory) =>
      tamper(directory, ({ store: { catalog } }) =>
        catalog.rename(catalog.snapshotNamed(asDatasetId(0), 'second')!, 'first'),
      ),
    finds: 'dataset',
    only: true,
    drops: ['main@second'],
  },
  'a bit of the name of a volume': {
    plant: (directory) => {
      const { nameAddress } = datasetsOf(directory).find(({ name }) => name === 'clone')!;
      flip(join(directory, 'strings.dat'), nameAddress + 33);
    },
    finds: 'dataset',
    only: true,
    drops: ['clone'],
  },
  'properties that are none': {
    plant: onDataset('second', (words, at, { store }, id) => {
      const owner = { object: VOLUME_OBJECT, kind: KIND_DATASET, minor: id };
      writeU64(words, at + 12, store.strings.add(owner, Buffer.from('["none"]')));
    }),
    finds: 'dataset',
    only: true,
  },
  'the numbers of a snapshot': {
    plant: onDataset('second', (words, at) => {
      writeU64(words, at + 6, 3);
      writeU64(words, at + 8, 4);
    }),
    finds: 'counter',
    only: true,
  },
  'a view that nobody gave': {
    plant: onDataset('second', (words, at) => writeU64(words, at + 14, 2 ** 40)),
    finds: 'dataset',
    only: true,
  },
  'counts of shared records and datasets in the superblock': {
    plant: (directory) => changeSuperblock(directory, { sharedRecords: 1, nextDataset: asDatasetId(2) }),
    finds: 'counter',
  },
  // ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────
  'parts that overlap': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { ino, last, blob } = firstPart(state);
        addPart(state, ino, last + 1, blob, 2);
      }),
    finds: 'part',
    lostMax: 2,
    puts: /^#\d+\.damaged$/,
  },
  'a part beyond the end': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { ino, blob } = firstPart(state);
        addPart(state, ino, 500, blob, 1);
      }),
    finds: 'part',
    only: true,
    lostMax: 2,
    puts: /^#\d+\.damaged$/,
  },
  'parts of which the record says nothing': {
    plant: onInode(
      (inode) => (inode.storage = 2),
      (inode) => inode.storage === STORAGE_PARTS,
    ),
    finds: 'part',
    only: true,
    lostMax: 2,
    puts: /^#\d+\.damaged$/,
  },
  'a part in a blob that is gone': {
    plant: (directory) => {
      const [{ value }] = itemsOf(directory, KIND_PART, 1);
      rmSync(join(directory, blobPath(asBlobId(readU64(value, 0)))));
    },
    finds: 'blob-missing',
    lostMax: 4,
    drops: SNAPSHOTS,
    puts: /^#\d+\.(damaged|lost)$/,
  },
  'a part in the blob of another file': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { ino, last, blob } = firstPart(state);
        const other = new Inode();
        for (let number = 2; !(other.load(state.tree, asIno(number)) && other.storage === 2); number++);
        state.tree.modify(ino, KIND_PART, last);
        writeU64(state.tree.words, state.tree.valueWord, other.blob);
        state.store.references.add('blob', other.blob);
        state.store.references.drop('blob', blob);
      }),
    finds: 'blob-shared',
    only: true,
    lostMax: 4,
    puts: /^#\d+\.damaged$/,
  },
  // ── Quotas and places ────────────────────────────────────────────────────────────────────────────────────────────────
  'what a quota counts': {
    plant: (directory) =>
      tamper(directory, ({ tree }) => {
        tree.seek(VOLUME_OBJECT, KIND_QUOTA, 0);
        tree.modify(VOLUME_OBJECT, KIND_QUOTA, tree.minor);
        writeU64(tree.words, tree.valueWord + 6, 5);
      }),
    finds: 'quota',
    only: true,
  },
  'a quota that is gone': {
    plant: (directory) =>
      tamper(directory, ({ tree }) => {
        tree.seek(VOLUME_OBJECT, KIND_QUOTA, 0);
        tree.remove(VOLUME_OBJECT, KIND_QUOTA, tree.minor);
      }),
    finds: 'quota',
    only: true,
  },
  'a file that counts for a quota elsewhere': {
    plant: onInode(
      (inode, { tree }) => {
        inode.quotaGroup = 1;
        tree.modify(VOLUME_OBJECT, KIND_QUOTA, 1);
        writeU64(tree.words, tree.valueWord + 6, readU64(tree.words, tree.valueWord + 6) + inode.size);
        writeU64(tree.words, tree.valueWord + 8, readU64(tree.words, tree.valueWord + 8) + 1);
      },
      (inode) => isFile(inode) && inode.quotaGroup === 0,
    ),
    finds: 'quota',
    only: true,
  },
  'what a file says of its name': {
    plant: onInode(
      (inode) => (inode.nameMinor += 1),
      (inode) => isFile(inode) && inode.nameMinor > 0,
    ),
    finds: 'parent',
    only: true,
  },
};

await testCases(t, CASES, makeStoreWithSnapshots);
