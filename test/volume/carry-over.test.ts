/** Single cases of what a reset carries over: names, quotas and paths that get in each other's way, and the pages that it takes. */

import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Ino } from '../../src/store/units.js';
import { outermost } from '../../src/volume/paths.js';
import { parseRules } from '../../src/volume/persistence.js';
import { PinnedTree } from '../../src/volume/pinned-tree.js';
import { Quotas } from '../../src/volume/quotas.js';
import { structuralProblem } from '../crash/structure.js';
import { manifestOf } from '../transfer/manifest.js';
import { CALLER } from './served-volume.js';
import { pattern, TreeByPath } from './tree-by-path.js';
import { PAGES_KEPT, WatchedPages } from './watched-pages.js';

/**
 * Resets `main` to its snapshot `blank`, which must take no more pages than are reserved for it when the log is replayed. The store is then
 * to be whole, now and when it is opened again.
 */
async function resetWhole(t: Test, tree: TreeByPath, carried: readonly string[]): Promise<void> {
  const { datasets, served } = tree;
  const watched = new WatchedPages(served.store.state.pages);
  await datasets.rollBack('main', datasets.snapshot('main', 'blank'), { keepAs: undefined, carried });
  const { taken, reserved } = watched.largest();
  t.ok(taken <= reserved - PAGES_KEPT, `${taken} pages of ${reserved}`);
  t.equal(structuralProblem(served.store, served.disk), undefined, 'the store is whole');
  await served.reopen();
  t.equal(structuralProblem(served.store, served.disk), undefined, 'after a new mount');
}

const setQuota = (tree: TreeByPath, path: string): Promise<void> =>
  new Quotas(tree.served.store).set(tree.datasets.volume('main'), path, { bytes: 1e9 });

const content = pattern(3, 100);

t.test('a file whose names come under different quotas', async (t) => {
  for (const names of [
    ['home/ana/file', 'tmp/ana/file'],
    ['tmp/ana/file', 'home/ana/file'],
  ] as const) {
    const tree = await TreeByPath.make(t);
    tree.directory('home');
    tree.directory('tmp');
    await setQuota(tree, 'tmp');
    await tree.datasets.createSnapshot('main', 'blank');
    await new Quotas(tree.served.store).remove(tree.datasets.volume('main'), 'tmp');
    tree.directory('home/ana');
    tree.directory('tmp/ana');
    tree.file(names[0], content);
    tree.link(names[0], names[1]);
    await resetWhole(t, tree, ['home/ana', 'tmp/ana']);
    t.not(tree.ino('home/ana/file'), tree.ino('tmp/ana/file'));
    for (const path of names) t.strictSame(await tree.served.read(tree.ino(path)), content);
    await tree.served.store.close();
  }
});

t.test('a file that has its number in one of two places', async (t) => {
  const tree = await TreeByPath.make(t);
  for (const path of ['home', 'tmp', 'tmp/ana']) tree.directory(path);
  tree.file('tmp/ana/file', content);
  await setQuota(tree, 'home');
  await tree.datasets.createSnapshot('main', 'blank');
  await new Quotas(tree.served.store).remove(tree.datasets.volume('main'), 'home');
  tree.directory('home/ana');
  tree.directory('tmp/ana/deep');
  tree.link('tmp/ana/file', 'tmp/ana/deep/file');
  tree.link('tmp/ana/file', 'home/ana/file');
  tree.remove('tmp/ana/file');
  // The number is free only once the second path has been cut off.
  await resetWhole(t, tree, ['home/ana', 'tmp/ana']);
  for (const path of ['home/ana/file', 'tmp/ana/deep/file'])
    t.strictSame(await tree.served.read(tree.ino(path)), content);
  await tree.served.store.close();
});

t.test('a path that is named twice', async (t) => {
  const tree = await TreeByPath.make(t);
  await tree.datasets.createSnapshot('main', 'blank');
  tree.directory('home');
  tree.file('home/file', content);
  await resetWhole(t, tree, ['home', 'home']);
  t.strictSame(await tree.served.read(tree.ino('home/file')), content);
  await tree.served.store.close();
  t.throws(() => parseRules({ data: ['/home/\ud800'] }), { message: /half a character/ });
});

t.test('the outermost of many paths', async (t) => {
  t.strictSame(outermost(['a/b', 'a', 'ab', 'b/c/d', 'b/c', 'a', 'b/cd']), ['a', 'ab', 'b/c', 'b/cd']);
  const many = Array.from({ length: 100_000 }, (_, number) => `directory/${number}`);
  t.equal(outermost(many).length, many.length);
});

t.test('a deep path, of directories that blank has not', async (t) => {
  const tree = await TreeByPath.make(t);
  for (let made = 0; made < 9000; made++) {
    if (made % 30 === 0) tree.directory(`d${made}`);
    tree.file(`f${made}`, Buffer.alloc(0));
  }
  await tree.datasets.createSnapshot('main', 'blank');
  let path = 'deep';
  for (let depth = 0; depth < 300; depth++) {
    tree.directory(path);
    path += `/d${depth}`;
  }
  tree.file(path, content);
  await resetWhole(t, tree, [path]);
  t.strictSame(await tree.served.read(tree.ino(path)), content);
  await tree.served.store.close();
});

t.test('directories on the way, and a file of blank where one has to be, with many attributes', async (t) => {
  const tree = await TreeByPath.make(t);
  const addAttributes = (ino: Ino): void => {
    for (let made = 0; made < 4000; made++)
      tree.filesystem.setExtendedAttribute(ino, Buffer.from(`user.${made}`), Buffer.from('1'), 0, false, CALLER);
  };
  addAttributes(tree.file('a', content));
  await tree.datasets.createSnapshot('main', 'blank');
  tree.remove('a');
  let path = 'a';
  for (let depth = 0; depth < 8; depth++) {
    addAttributes(tree.directory(path));
    path += '/a';
  }
  tree.file(path, content);
  await resetWhole(t, tree, [path]);
  t.strictSame(await tree.served.read(tree.ino(path)), content);
  await tree.served.store.close();
});

t.test('what is of another kind in blank', async (t) => {
  const tree = await TreeByPath.make(t);
  for (const path of ['a', 'a/deep', 'b', 'c']) tree.directory(path);
  for (let made = 0; made < 300; made++) tree.file(`a/deep/${made}`, content);
  tree.link('a/deep/7', 'other');
  tree.file('d', content);
  tree.symlink('e', 'a');
  await tree.datasets.createSnapshot('main', 'blank');
  for (let made = 0; made < 300; made++) tree.remove(`a/deep/${made}`);
  for (const path of ['a/deep', 'a', 'b', 'c']) tree.removeDirectory(path);
  for (const path of ['d', 'e']) tree.remove(path);
  tree.file('a', content);
  tree.symlink('b', 'other');
  tree.directory('d');
  tree.file('d/file', pattern(5, 100));
  tree.directory('e');
  for (let made = 0; made < 300; made++) tree.file(`e/${made}`, pattern(7, 100));
  tree.link('e/1', 'd/link');
  await resetWhole(t, tree, ['a', 'b', 'd/file', 'd/link', 'e']);
  t.strictSame(await tree.served.read(tree.ino('a')), content);
  t.equal(Buffer.from(tree.filesystem.readSymlink(tree.ino('b'))).toString(), 'other');
  t.ok(tree.exists('c'), 'is as in blank');
  t.strictSame(await tree.served.read(tree.ino('other')), content, 'has the name that did not persist');
  t.strictSame(await tree.served.read(tree.ino('d/file')), pattern(5, 100));
  t.equal(tree.ino('d/link'), tree.ino('e/1'), 'one file');
  t.strictSame(await tree.served.read(tree.ino('e/299')), pattern(7, 100));
  await tree.served.store.close();
});

t.test('a reset of what is as in blank', async (t) => {
  const tree = await TreeByPath.make(t);
  tree.directory('home');
  tree.directory('empty');
  for (let made = 0; made < 1000; made++) tree.file(`home/${made}`, content);
  tree.filesystem.unlink(...tree.place('home/0'), CALLER);
  await tree.datasets.createSnapshot('main', 'blank');
  const ino = tree.ino('home/1');
  for (const carried of [['home', 'empty'], [], ['empty'], ['home']]) {
    await resetWhole(t, tree, carried);
    t.equal(tree.ino('home/1'), ino, 'the same number');
    t.strictSame(await tree.served.read(tree.ino('home/999')), content);
  }
  await tree.served.store.close();
});

t.test('a state that is read while it is replaced and given up', async (t) => {
  const tree = await TreeByPath.make(t);
  const { served, datasets } = tree;
  await datasets.createSnapshot('main', 'blank');
  tree.directory('home');
  for (let made = 0; made < 1000; made++) tree.file(`home/${made}`, content);
  tree.file('gone', content);
  // As of a snapshot: of a volume it would be what is there now.
  const shown = ({ dataset }: PinnedTree): Promise<string[]> =>
    manifestOf(served.store, { ...dataset, type: 'snapshot' });
  const pinned = new PinnedTree(served.store, datasets.volume('main'));
  const manifest = await shown(pinned);
  await datasets.rollBack('main', datasets.snapshot('main', 'blank'), { keepAs: undefined, carried: ['home'] });
  const after = new PinnedTree(served.store, datasets.volume('main'));
  const manifestAfter = await shown(after);
  for (let made = 0; made < 1000; made += 7) tree.remove(`home/${made}`);
  while (served.store.hasDying) await setImmediate();
  await served.store.checkpoint();
  for (let made = 0; made < 1000; made++) tree.file(`home/new${made}`, content);
  t.strictSame(await shown(pinned), manifest);
  t.strictSame(await shown(after), manifestAfter);
  t.not(manifest.length, manifestAfter.length);
  for (const reader of [after, pinned]) reader.release();
  while (served.store.hasDying) await setImmediate();
  t.equal(structuralProblem(served.store, served.disk), undefined, 'the store is whole');
  await served.store.close();
});

t.test('what lies side by side is shared, not written anew', async (t) => {
  const tree = await TreeByPath.make(t);
  const { served } = tree;
  await tree.datasets.createSnapshot('main', 'blank');
  tree.directory('home');
  for (let file = 0; file < 2000; file++) tree.file(`home/${file}`, content);
  await served.store.checkpoint();
  const { pages } = served.store.state;
  const born = pages.bornCount;
  await tree.datasets.rollBack('main', tree.datasets.snapshot('main', 'blank'), { keepAs: 'old', carried: ['home'] });
  // Copied one by one, they took 102.
  t.ok(pages.bornCount - born < 20, `${pages.bornCount - born} pages written`);
  t.equal(structuralProblem(served.store, served.disk), undefined);
  await served.store.close();
});
