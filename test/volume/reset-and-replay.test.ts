/** Resets in place when the log is replayed, and beside other commands: what came before or afterwards must make no difference. */
import t, { type Test } from 'tap';
import { Quotas } from '../../src/volume/quotas.js';
import { structuralProblem } from '../crash/structure.js';
import { manifestOf } from '../transfer/manifest.js';
import { CALLER } from './served-volume.js';
import { pattern, TreeByPath } from './tree-by-path.js';

const content = pattern(3, 100);

/** A tree of which `home` is to persist, and `gone` is not, after a checkpoint with blank alone. */
async function lived(t: Test): Promise<TreeByPath> {
  const tree = await TreeByPath.make(t);
  tree.directory('etc');
  await tree.datasets.createSnapshot('main', 'blank');
  await tree.served.store.checkpoint();
  for (const path of ['home', 'gone', 'gone/deep']) tree.directory(path);
  tree.file('home/file', content);
  return tree;
}

const reset = (tree: TreeByPath, to = 'blank'): Promise<unknown> =>
  tree.datasets.rollBack('main', tree.datasets.snapshot('main', to), {
    keepAs: undefined,
    carried: ['home'],
    copiedMax: 0,
  });

const problemOf = ({ served }: TreeByPath): string | undefined => structuralProblem(served.store, served.disk);
const removedIn = ({ served }: TreeByPath): number => served.store.main.state.removed.length;

t.test('a directory with a quota that was removed before', async (t) => {
  for (const isOpen of [false, true]) {
    const tree = await lived(t);
    const { store } = tree.served;
    tree.directory('limited');
    await new Quotas(store).set(tree.datasets.volume('main'), 'limited', { inodes: 100 });
    const ino = tree.file('limited/file', content);
    tree.filesystem.unlink(...tree.place('limited/file'), CALLER);
    if (!isOpen) tree.filesystem.forget(ino);
    tree.removeDirectory('limited');
    const durable = reset(tree);
    t.ok(removedIn(tree) > 0, 'the reset is in place');
    await durable;
    await store.swept();
    t.equal(store.readOnlyReason, '');
    t.equal(problemOf(tree), undefined);
    // In the log the file is still there when the volume is reset: nothing says that it was given up.
    store.fail(new Error('stopped here'));
    await tree.served.reopen();
    await tree.served.store.swept();
    t.equal(tree.served.store.readOnlyReason, '');
    t.strictSame(await tree.served.read(tree.ino('home/file')), content);
    t.equal(problemOf(tree), undefined);
    await tree.served.store.close();
  }
});

t.test('a file that is in use when the last of its names is swept', async (t) => {
  for (const resume of [false, true]) {
    for (const isSaved of [false, true]) {
      const tree = await lived(t);
      const { store } = tree.served;
      tree.link('home/file', 'gone/deep/file');
      const open = tree.ino('home/file');
      store.state.onOrphan = () => true;
      const durable = reset(tree);
      tree.filesystem.unlink(...tree.place('home/file'), CALLER);
      if (isSaved) await store.checkpoint();
      await tree.datasets.createSnapshot('main', 'after');
      await durable;
      tree.filesystem.write(open, 0, 3, Buffer.from('xyz'), 0, false, CALLER);
      store.fail(new Error('stopped here'));
      await tree.served.reopen({ resume });
      t.equal(problemOf(tree), undefined);
      t.strictSame([...tree.served.store.main.state.orphans], resume ? [open] : []);
      if (resume) t.match((await tree.served.read(open)).toString('latin1'), /^xyz/, 'it can still be read');
      const after = await manifestOf(tree.served.store, tree.datasets.snapshot('main', 'after'));
      t.equal(after.length, 3, 'the snapshot has what could be seen');
      await tree.served.store.close();
    }
  }
});

t.test('a file that nobody is told of stays until the next mount', async (t) => {
  const tree = await lived(t);
  tree.link('home/file', 'gone/deep/file');
  const open = tree.ino('home/file');
  const durable = reset(tree);
  tree.filesystem.unlink(...tree.place('home/file'), CALLER);
  await durable;
  await tree.served.store.swept();
  t.strictSame(await tree.served.read(open), content);
  await tree.served.reopen();
  t.equal(tree.served.store.main.state.orphans.size, 0);
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});

t.test('what is asked for while trees are swept is checked afterwards', async (t) => {
  const tree = await lived(t);
  await tree.datasets.createSnapshot('main', 'other');
  for (let made = 0; made < 300; made++) tree.file(`gone/deep/${made}`, content);
  const durable = reset(tree);
  const { datasets } = tree;
  const other = datasets.snapshot('main', 'other');
  t.ok(removedIn(tree) > 0);
  const asked = await Promise.allSettled([
    datasets.createSnapshot('main', 'same'),
    datasets.createSnapshot('main', 'same'),
    datasets.createVolume('same', datasets.volume('main'), { uid: 0, gid: 0 }),
    datasets.createVolume('same', datasets.volume('main'), { uid: 0, gid: 0 }),
    reset(tree, 'other'),
    datasets.createVolume('clone', other, { uid: 0, gid: 0 }),
    datasets.destroy(other),
  ]);
  t.match(asked, [
    { status: 'fulfilled' },
    { reason: { code: 'exists' } },
    { status: 'fulfilled' },
    { reason: { code: 'exists' } },
    { reason: { code: 'no-such-snapshot' } },
    { reason: { code: 'no-such-snapshot' } },
    { status: 'fulfilled' },
  ]);
  await durable;
  t.equal(problemOf(tree), undefined);
  await tree.served.store.close();
});
