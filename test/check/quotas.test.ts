/** razorfsck finds quotas that count wrong, and inodes that count for the wrong one. */
import t, { type Test } from 'tap';
import { checkStore } from '../../src/check/check.js';
import type { Finding } from '../../src/check/findings.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { Inode } from '../../src/volume/inode.js';
import { KIND_QUOTA, VOLUME_OBJECT } from '../../src/volume/items.js';
import { addToUsage } from '../../src/volume/quota-record.js';
import { Quotas } from '../../src/volume/quotas.js';
import type { VolumeState } from '../../src/volume/state.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY, VOLUME_OPTIONS } from '../volume/served-volume.js';

interface Files {
  readonly state: VolumeState;
  readonly limited: Ino;
  readonly inside: Ino;
  readonly outside: Ino;
}

/** What razorfsck finds in a store with a quota whose trees were changed behind its back. */
async function findingsAfter(t: Test, change: (files: Files) => void): Promise<string[]> {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const directory = new Attributes();
  served.filesystem.makeDirectory(ROOT_INO, Buffer.from('limited'), 0o755, CALLER, directory);
  const inside = served.makeFile('inside', Buffer.alloc(1000), directory.ino);
  served.makeFile('beside', Buffer.alloc(10), directory.ino);
  const outside = served.makeFile('outside', Buffer.alloc(100));
  served.makeFile('other', Buffer.alloc(100));
  const datasets = new Datasets(served.store);
  await new Quotas(served.store).set(datasets.volume('main'), 'limited', { inodes: 10 });
  await datasets.createSnapshot('main', 'snapshot');
  served.volume.state.pages.reserve(50);
  change({ state: served.volume.state, limited: directory.ino, inside, outside });
  await served.store.close();
  const found: Finding[] = [];
  await checkStore(served.disk, {
    bootId: VOLUME_OPTIONS.bootId,
    onFinding: (finding) => found.push(finding),
    onProgress: () => undefined,
  });
  return found
    .filter(({ severity }) => severity === 'error')
    .map(({ code, where, problem }) => `${code} ${where}: ${problem}`);
}

const addUsage = ({ tree }: VolumeState, bytes: number, inodes: number): void => {
  tree.modify(VOLUME_OBJECT, KIND_QUOTA, 1);
  addToUsage(tree.words, tree.valueWord, bytes, inodes);
};

function setGroup({ tree }: VolumeState, ino: Ino, group: number): void {
  const inode = new Inode();
  inode.load(tree, ino);
  inode.quotaGroup = group;
  inode.store(tree);
}

t.test('nothing is found where all is right', async (t) => {
  t.strictSame(await findingsAfter(t, () => undefined), []);
});

t.test('usage that is not what the inodes come to', async (t) => {
  t.strictSame(await findingsAfter(t, ({ state }) => addUsage(state, 5, -1)), [
    'quota quota group 1: counts 2 inodes, has 3',
    'quota quota group 1: counts 1015 bytes, its files have 1010',
  ]);
});

t.test('a group without a quota', async (t) => {
  const found = await findingsAfter(t, ({ state }) => state.tree.remove(VOLUME_OBJECT, KIND_QUOTA, 1));
  t.strictSame(found, [
    'quota inode 2: counts for quota group 1, but the directory that it is in for 0',
    'quota quota group 1: missing, but inodes count for it',
  ]);
});

t.test('inodes of another group than their directory', async (t) => {
  const found = await findingsAfter(t, ({ state, inside, outside }) => {
    setGroup(state, inside, 0);
    setGroup(state, outside, 1);
    addUsage(state, 100 - 1000, 0);
  });
  t.strictSame(found, [
    'quota inode 3: counts for quota group 0, but the directory that it is in for 1',
    'quota inode 5: counts for quota group 1, but the directory that it is in for 0',
  ]);
});
