/** Damage that makes directories contain themselves: what follows names or parents says so, and neither hangs nor goes on for ever. */
import t, { type Test } from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { recordsBetween, recordsOfAll } from '../../src/transfer/snapshot-records.js';
import { Datasets } from '../../src/volume/datasets.js';
import { compareStates } from '../../src/volume/diff.js';
import { Inode } from '../../src/volume/inode.js';
import { pathOf } from '../../src/volume/inode-path.js';
import { KIND_DIRENT, writeU64 } from '../../src/volume/items.js';
import { PinnedTree } from '../../src/volume/pinned-tree.js';
import { Quotas } from '../../src/volume/quotas.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

interface Circle {
  readonly served: ServedVolume;
  /** Contains `inner`. */
  readonly outer: Ino;
  /** Contains an entry that leads back to `outer`. */
  readonly inner: Ino;
  /** As it was before the directories were made. */
  readonly before: PinnedTree;
  readonly after: () => PinnedTree;
}

/**
 * The directories outer/inner, and in the inner one an entry `back` that leads to the outer one. `isNoted`: the outer directory says
 * that this is its name, so that nobody who goes up arrives at the root.
 */
async function makeCircle(t: Test, isNoted: boolean): Promise<Circle> {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const { filesystem, store, volume } = served;
  const main = new Datasets(store).volume('main');
  const pinned: PinnedTree[] = [];
  const pin = (): PinnedTree => {
    const tree = new PinnedTree(store, main);
    pinned.push(tree);
    return tree;
  };
  t.teardown(async () => {
    for (const tree of pinned) tree.release();
    await store.close();
  });
  const before = pin();
  const make = (parent: Ino, name: string): Ino => {
    const out = new Attributes();
    filesystem.makeDirectory(parent, Buffer.from(name), 0o755, CALLER, out);
    return out.ino;
  };
  const outer = make(ROOT_INO, 'outer');
  const inner = make(outer, 'inner');
  make(inner, 'back');
  served.makeFile('file', Buffer.from('data'), inner);
  const { tree, entries } = volume.state;
  store.state.pages.reserve(64);
  const minor = entries.find(inner, Buffer.from('back'));
  tree.modify(inner, KIND_DIRENT, minor);
  writeU64(tree.words, tree.valueWord, outer);
  if (isNoted) {
    const inode = new Inode();
    inode.load(tree, outer);
    inode.parent = inner;
    inode.nameMinor = minor;
    inode.store(tree);
  }
  return { served, outer, inner, before, after: pin };
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) {
    found.push(item);
    if (found.length > 1000) throw new Error('without end');
  }
  return found;
}

for (const isNoted of [false, true]) {
  const kind = isNoted ? 'noted by its parent' : 'not noted';
  t.test(`a quota on a circle, ${kind}`, async (t) => {
    const { served } = await makeCircle(t, isNoted);
    const main = new Datasets(served.store).volume('main');
    await t.rejects(new Quotas(served.store).set(main, 'outer', { bytes: 1e6 }), CorruptionError);
  });

  t.test(`sending a circle, ${kind}`, async (t) => {
    const { after } = await makeCircle(t, isNoted);
    await t.rejects(all(recordsOfAll(after())), CorruptionError);
  });
}

t.test('sending what changed, where that is a circle to which the root does not lead', async (t) => {
  const { served, before, after } = await makeCircle(t, true);
  const { tree, entries } = served.volume.state;
  tree.remove(ROOT_INO, KIND_DIRENT, entries.find(ROOT_INO, Buffer.from('outer')));
  await t.rejects(all(recordsBetween(before, after())), CorruptionError);
});

t.test('taking a circle over from a snapshot', async (t) => {
  const { served } = await makeCircle(t, false);
  const datasets = new Datasets(served.store);
  const snapshot = await datasets.createSnapshot('main', 'circle');
  await t.rejects(datasets.rollBack('main', snapshot, { keepAs: undefined, path: 'outer' }), CorruptionError);
});

t.test('paths of what is in a circle', async (t) => {
  const { served, inner, before, after } = await makeCircle(t, true);
  t.equal(pathOf(served.volume.state, inner), undefined);
  await t.rejects(all(compareStates(before, after())), CorruptionError);
});

t.test('a rename into a circle', async (t) => {
  const { served, inner } = await makeCircle(t, true);
  const { filesystem } = served;
  filesystem.makeDirectory(ROOT_INO, Buffer.from('moved'), 0o755, CALLER, new Attributes());
  const rename = (): void => filesystem.rename(ROOT_INO, Buffer.from('moved'), inner, Buffer.from('moved'), 0, CALLER);
  t.throws(rename, CorruptionError);
});
