/** Resets in place, and the sweeping of what they leave behind: single cases. */
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { EDQUOT } from '../../src/errors/errno.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { MAIN_VOLUME } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { orphansIn } from '../../src/volume/orphans.js';
import { PinnedTree } from '../../src/volume/pinned-tree.js';
import { structuralProblem } from '../crash/structure.js';
import { manifestOf } from '../transfer/manifest.js';
import { CALLER } from './served-volume.js';
import { pattern, TreeByPath } from './tree-by-path.js';

const content = pattern(3, 100);
const GONE = 60;

/** A tree of which `home` is to persist; the rest is `gone`, with a directory in a directory, and large files. */
async function lived(t: Test): Promise<TreeByPath> {
  const tree = await TreeByPath.make(t);
  tree.directory('etc');
  tree.file('etc/hostname', content);
  await tree.datasets.createSnapshot('main', 'blank');
  for (const path of ['home', 'home/ana', 'gone', 'gone/deep', 'gone/deep/deeper']) tree.directory(path);
  for (let made = 0; made < GONE; made++) {
    tree.file(`home/ana/${made}`, pattern(made, 200));
    tree.file(`gone/deep/${made}`, made === 7 ? Buffer.alloc(100_000, 'large') : pattern(made, 100));
  }
  tree.symlink('gone/deep/deeper/link', 'target');
  tree.file('gone/deep/deeper/file', content);
  return tree;
}

/** The reset itself is done when this returns; what it leaves behind is swept from the next turn of the event loop on. */
const reset = (tree: TreeByPath, carried: readonly string[], keepAs?: string): Promise<unknown> =>
  tree.datasets.rollBack('main', tree.datasets.snapshot('main', 'blank'), { keepAs, carried, copiedMax: 0 });

const problemOf = ({ served }: TreeByPath): string | undefined => structuralProblem(served.store, served.disk);
const removedIn = ({ served }: TreeByPath): number => served.store.main.state.removed.length;
const linksOf = (tree: TreeByPath, path: string): number => {
  const out = new Attributes();
  tree.filesystem.getAttributes(tree.ino(path), out);
  return out.nlink;
};

t.test('what does not persist is out of sight at once, and swept step by step', async (t) => {
  const tree = await lived(t);
  const { store } = tree.served;
  const { dataset } = store.main.state;
  const [inodes, bytes] = [dataset.inodes, dataset.dataBytes];
  const ino = tree.ino('home/ana/7');
  const durable = reset(tree, ['home']);
  t.notOk(tree.exists('gone'));
  t.equal(tree.ino('home/ana/7'), ino, 'what persists has its number');
  t.ok(removedIn(tree) > 0);
  t.equal(dataset.inodes, inodes, 'what is to be swept counts until it is');
  let slices = 0;
  do {
    t.equal(problemOf(tree), undefined, `slice ${slices}`);
    slices++;
  } while (store.sweeper.slice());
  t.ok(slices > 1, `${slices} slices`);
  t.equal(problemOf(tree), undefined);
  t.equal(dataset.inodes, inodes - GONE - 5);
  t.ok(dataset.dataBytes < bytes - 100_000);
  t.equal(store.main.state.orphans.size, 0);
  await durable;
  t.strictSame(await tree.served.read(tree.ino('home/ana/59')), pattern(59, 200));
  await tree.served.reopen();
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});

t.test('a mount that finds removed trees goes on sweeping them', async (t) => {
  const tree = await lived(t);
  const durable = reset(tree, ['home']);
  tree.served.store.sweeper.slice();
  await tree.served.reopen();
  await durable;
  t.ok(removedIn(tree) > 0, 'closing does not wait for it');
  t.equal(problemOf(tree), undefined);
  await tree.served.store.swept();
  t.equal(removedIn(tree), 0);
  t.equal(tree.served.store.main.state.orphans.size, 0);
  t.equal(problemOf(tree), undefined);
  t.strictSame(await tree.served.read(tree.ino('home/ana/1')), pattern(1, 200));
  await tree.served.store.close();
});

t.test('a file with names on both sides', async (t) => {
  const tree = await lived(t);
  for (const number of [1, 2, 3]) tree.link(`home/ana/${number}`, `gone/deep/deeper/${number}`);
  const open = tree.ino('home/ana/3');
  const durable = reset(tree, ['home']);
  t.equal(linksOf(tree, 'home/ana/1'), 2);
  // Their last names that can be seen; the third one is still open somewhere.
  tree.remove('home/ana/2');
  tree.filesystem.unlink(...tree.place('home/ana/3'), CALLER);
  const told: number[] = [];
  tree.served.store.state.onOrphan = (volume, ino) => {
    t.equal(volume, MAIN_VOLUME);
    told.push(ino);
    return ino === open;
  };
  await durable;
  await tree.served.store.swept();
  t.equal(linksOf(tree, 'home/ana/1'), 1);
  t.strictSame(await tree.served.read(tree.ino('home/ana/1')), pattern(1, 200));
  t.equal(told.length, 2, 'of both it may be that they are open');
  t.strictSame(await tree.served.read(open), pattern(3, 200), 'it can be read as long as it is open');
  t.strictSame([...tree.served.store.main.state.orphans], [open]);
  t.equal(problemOf(tree), undefined);
  tree.filesystem.forget(open);
  t.equal(tree.served.store.main.state.orphans.size, 0);
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});

t.test('a process that goes on with a mount gives up no file that may be open', async (t) => {
  const tree = await lived(t);
  tree.link('home/ana/3', 'gone/deep/deeper/3');
  const open = tree.ino('home/ana/3');
  const durable = reset(tree, ['home']);
  tree.filesystem.unlink(...tree.place('home/ana/3'), CALLER);
  await tree.served.store.suspend();
  await durable;
  await tree.served.reopen({ resume: true });
  t.ok(removedIn(tree) > 0);
  tree.served.store.state.onOrphan = (_, ino) => ino === open;
  await tree.served.store.swept();
  t.equal(removedIn(tree), 0);
  t.strictSame(await tree.served.read(open), pattern(3, 200));
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});

t.test('paths in directories that do not persist, and names in directories that blank has', async (t) => {
  const tree = await lived(t);
  tree.file('etc/new', content);
  tree.link('etc/new', 'etc/other');
  tree.link('etc/new', 'gone/third');
  tree.directory('etc/directory');
  tree.file('etc/directory/file', content);
  tree.write('etc/hostname', 0, Buffer.from('changed'));
  await reset(tree, ['gone/deep/deeper', 'etc/other', 'home/ana/4', 'nothing/there'], 'old');
  t.equal(problemOf(tree), undefined);
  for (const path of ['gone/deep/deeper/file', 'etc/other'])
    t.strictSame(await tree.served.read(tree.ino(path)), content);
  t.strictSame(await tree.served.read(tree.ino('home/ana/4')), pattern(4, 200));
  t.strictSame(await tree.served.read(tree.ino('etc/hostname')), content, 'is as in blank');
  for (const path of ['etc/new', 'etc/directory', 'gone/deep/1', 'gone/third', 'home/ana/5'])
    t.notOk(tree.exists(path), path);
  await tree.served.store.swept();
  t.equal(linksOf(tree, 'etc/other'), 1);
  t.equal(Buffer.from(tree.filesystem.readSymlink(tree.ino('gone/deep/deeper/link'))).toString(), 'target');
  t.equal(problemOf(tree), undefined);
  const old = await manifestOf(tree.served.store, tree.datasets.snapshot('main', 'old'));
  t.ok(
    old.some((line) => line.includes('gone/third')),
    'the old root has it all',
  );
  await tree.served.store.close();
});

t.test('what blank has persists as it is now', async (t) => {
  const tree = await lived(t);
  tree.write('etc/hostname', 0, Buffer.from('changed'));
  tree.directory('etc/more');
  tree.file('etc/more/file', content);
  const ino = tree.ino('etc/hostname');
  const durable = reset(tree, ['etc']);
  t.ok(removedIn(tree) > 0, 'in place');
  await durable;
  t.equal(tree.ino('etc/hostname'), ino);
  t.match((await tree.served.read(ino)).toString('latin1'), /^changed/);
  t.strictSame(await tree.served.read(tree.ino('etc/more/file')), content);
  await tree.served.store.swept();
  t.equal(problemOf(tree), undefined);
  // And is as in blank again when it does not.
  await reset(tree, ['nothing']);
  t.strictSame(await tree.served.read(tree.ino('etc/hostname')), content);
  t.notOk(tree.exists('etc/more'));
  await tree.served.store.swept();
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});

t.test('files whose records do not know their names', async (t) => {
  const tree = await lived(t);
  for (const name of ['one', 'other']) {
    tree.file(`etc/${name}`, content);
    // A file that loses the name which it had last has others, but does not know them.
    tree.link(`etc/${name}`, 'etc/link');
    tree.remove('etc/link');
  }
  await tree.datasets.createSnapshot('main', 'later');
  const back = tree.datasets.snapshot('main', 'later');
  for (const name of ['one', 'other']) tree.write(`etc/${name}`, 0, Buffer.from('changed'));
  tree.file('late', content);
  const durable = tree.datasets.rollBack('main', back, { keepAs: undefined, carried: ['etc'], copiedMax: 0 });
  t.ok(removedIn(tree) > 0, 'in place');
  await durable;
  t.equal(problemOf(tree), undefined);
  t.match((await tree.served.read(tree.ino('etc/one'))).toString('latin1'), /^changed/, 'it is where it was');
  // Moved, without its record knowing where to.
  tree.link('etc/other', 'home/other');
  tree.link('etc/other', 'etc/link');
  for (const path of ['etc/other', 'etc/link']) tree.remove(path);
  await tree.datasets.rollBack('main', back, { keepAs: undefined, carried: ['home'], copiedMax: 0 });
  t.equal(problemOf(tree), undefined);
  t.match((await tree.served.read(tree.ino('home/other'))).toString('latin1'), /^changed/, 'it persists with its name');
  t.strictSame(await tree.served.read(tree.ino('etc/other')), content, 'and is as it was elsewhere');
  await tree.served.store.close();
});

t.test('where it cannot be in place, what persists is copied', async (t) => {
  const cases: Record<string, (tree: TreeByPath) => void> = {
    'a file of blank that was moved': (tree) => tree.rename('etc/hostname', 'home/hostname'),
    'a file of blank with a second name': (tree) => tree.link('etc/hostname', 'home/hostname'),
    'a directory of blank that was moved': (tree) => tree.rename('etc', 'home/etc'),
  };
  for (const [name, change] of Object.entries(cases)) {
    const tree = await lived(t);
    change(tree);
    const durable = reset(tree, ['home']);
    t.equal(removedIn(tree), 0, name);
    await durable;
    t.ok(tree.exists('etc/hostname'));
    t.ok(tree.exists('home/ana/1'));
    t.ok(tree.exists('home/hostname') || tree.exists('home/etc/hostname'));
    t.equal(problemOf(tree), undefined, name);
    await tree.served.store.close();
  }
});

t.test('snapshots, clones, resets and comparisons are of what can be seen', async (t) => {
  const tree = await lived(t);
  await reset(tree, ['home']);
  const snapshot = await tree.datasets.createSnapshot('main', 'after');
  const { store } = tree.served;
  t.equal(removedIn(tree), 0, 'it was swept first');
  t.equal(store.state.volumeOf(snapshot).dataset.inodes, store.main.state.dataset.inodes);
  tree.directory('gone');
  tree.file('gone/again', content);
  await reset(tree, ['home'], 'old');
  await reset(tree, ['home'], 'older');
  t.strictSame(orphansIn(store.state.volumeOf(tree.datasets.snapshot('main', 'older')).tree), []);
  tree.directory('gone');
  await reset(tree, ['home']);
  await tree.datasets.createVolume('clone', tree.datasets.volume('main'), { uid: 0, gid: 0 });
  t.equal(problemOf(tree), undefined);
  await reset(tree, ['home']);
  await store.swept();
  const [before, now] = [new PinnedTree(store, snapshot), new PinnedTree(store, tree.datasets.volume('main'))];
  t.strictSame(await tree.diff(snapshot), []);
  for (const pinned of [before, now]) pinned.release();
  await store.close();
});

t.test('a store that is read-only compares nothing with what it cannot sweep', async (t) => {
  const tree = await lived(t);
  const durable = reset(tree, ['home'], 'old');
  tree.served.store.sweeper.slice();
  await tree.served.reopen({ readOnly: true });
  await durable;
  const { store } = tree.served;
  const datasets = new Datasets(store);
  t.throws(() => new PinnedTree(store, datasets.volume('main')), { code: 'unswept', message: /read-only/ });
  const old = new PinnedTree(store, datasets.snapshot('main', 'old'));
  old.release();
  await tree.served.reopen();
  await tree.served.store.swept();
  const live = new PinnedTree(tree.served.store, new Datasets(tree.served.store).volume('main'));
  live.release();
  await tree.served.store.close();
});

t.test('replaying the log brings the same snapshots about', async (t) => {
  const tree = await lived(t);
  const { store } = tree.served;
  await store.checkpoint();
  await reset(tree, ['home']);
  await tree.datasets.createSnapshot('main', 'after');
  tree.directory('late');
  await reset(tree, ['home', 'late'], 'kept');
  const shown = async (): Promise<string[][]> =>
    Promise.all(tree.datasets.snapshots('main').map((snapshot) => manifestOf(tree.served.store, snapshot)));
  const before = await shown();
  // As after the death of the process: nothing but the log has it.
  store.fail(new Error('stopped here'));
  await tree.served.reopen();
  t.strictSame(await shown(), before);
  for (const { name } of tree.datasets.snapshots('main')) {
    t.strictSame(orphansIn(tree.served.store.state.volumeOf(tree.datasets.snapshot('main', name)).tree), [], name);
  }
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});

t.test("what is to be swept is in nobody's way", async (t) => {
  const tree = await lived(t);
  const { store } = tree.served;
  const { inodes, dataBytes } = store.main.state.dataset;
  await tree.datasets.setProperties(tree.datasets.volume('main'), { quota: dataBytes + 10, 'inode-quota': inodes });
  t.throws(() => tree.directory('more'), EDQUOT);
  const durable = reset(tree, ['home']);
  t.ok(removedIn(tree) > 0);
  tree.file('more', Buffer.alloc(10_000));
  t.equal(removedIn(tree), 0, 'the quota needed the room');
  await durable;
  t.equal(problemOf(tree), undefined);
  await store.close();
});

t.test('a reset in place takes no more for more files', async (t) => {
  const costs: number[] = [];
  for (const files of [300, 3000]) {
    const tree = await lived(t);
    const { store } = tree.served;
    for (let made = 0; made < files; made++) tree.file(`home/ana/more${made}`, Buffer.alloc(0));
    await store.checkpoint();
    while (store.hasDying) await setImmediate();
    const born = store.state.pages.bornCount;
    await reset(tree, ['home']);
    costs.push(store.state.pages.bornCount - born);
    await store.close();
  }
  // Ten times the files are a level more of the tree.
  t.ok(costs[1]! <= costs[0]! + 8, `${costs.join(' and ')} pages`);
});

t.test('much of blank that persists does not take a page for each inode', async (t) => {
  const tree = await TreeByPath.make(t);
  const { store } = tree.served;
  const FILES = 600;
  for (const path of ['etc', 'other']) tree.directory(path);
  // Side by side, and one by one between what does not persist.
  for (let made = 0; made < FILES; made++) tree.file(`etc/${made}`, content);
  for (let made = 0; made < FILES; made++) {
    tree.file(`etc/more${made}`, content);
    tree.file(`other/${made}`, content);
  }
  await tree.datasets.createSnapshot('main', 'blank');
  tree.write('etc/3', 0, Buffer.from('changed'));
  tree.write('etc/more3', 0, Buffer.from('changed'));
  tree.remove('etc/5');
  tree.file('late', content);
  await store.checkpoint();
  const born = store.state.pages.bornCount;
  const durable = reset(tree, ['etc'], 'old');
  t.ok(removedIn(tree) > 0, 'in place');
  const taken = store.state.pages.bornCount - born;
  t.ok(taken < FILES / 3, `${taken} pages`);
  await durable;
  for (const name of ['3', 'more3']) {
    t.match((await tree.served.read(tree.ino(`etc/${name}`))).toString('latin1'), /^changed/);
  }
  t.notOk(tree.exists('etc/5'));
  t.strictSame(await tree.served.read(tree.ino('etc/more4')), content);
  t.equal(problemOf(tree), undefined);
  await store.close();
});
