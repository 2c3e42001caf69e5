/** Comparing states of a volume: what is reported of each kind of change, and random changes against a comparison of everything. */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { RENAME_EXCHANGE } from '../../src/filesystem/operations.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import type { Dataset } from '../../src/volume/dataset.js';
import { compareStates } from '../../src/volume/diff.js';
import type { FileChange } from '../../src/volume/file-change.js';
import { PinnedTree } from '../../src/volume/pinned-tree.js';
import { structuralProblem } from '../crash/structure.js';
import { Random } from '../random.js';
import { CALLER, type ServedVolume } from './served-volume.js';
import { pattern, TreeByPath } from './tree-by-path.js';

const LARGE = 300_000;
/** As text, in the order of paths. */
const show = (changes: readonly FileChange[]): string[] =>
  changes
    .map(({ type, path, pathBefore, aspects }) => {
      const from = pathBefore === undefined ? '' : `${Buffer.from(pathBefore).toString()} → `;
      return `${type} ${from}${Buffer.from(path).toString()} ${aspects.join()}`.trim();
    })
    .sort();

t.test('what is reported of each kind of change', async (test) => {
  const tree = await TreeByPath.make(test);
  tree.directory('kept');
  tree.directory('moved');
  tree.directory('moved/deep');
  tree.directory('gone');
  for (const name of ['same', 'bytes', 'grown', 'mode', 'owner', 'attribute', 'rewritten', 'read', 'lost', 'old'])
    tree.file(`kept/${name}`, pattern(3, 1000));
  tree.file('moved/deep/inside', pattern(3, 10));
  tree.file('gone/below', pattern(3, 10));
  tree.file('large', pattern(5, LARGE));
  tree.file('replaced', pattern(5, 100));
  tree.file('saved', pattern(6, 100));
  tree.file('becomes a symlink', pattern(6, 100));
  tree.symlink('link', 'here');
  tree.file('two names', pattern(7, 10));
  tree.link('two names', 'second name');
  tree.file('x', pattern(7, 10));
  tree.file('y', pattern(8, 10));
  const before = await tree.snapshot();
  test.strictSame(await tree.diff(before), [], 'nothing yet');

  tree.write('kept/bytes', 10, Buffer.from('other'));
  tree.write('kept/grown', 1000, Buffer.from('more'));
  tree.set('kept/mode', { mode: 0o600 });
  tree.set('kept/owner', { uid: 7, gid: 8 });
  tree.filesystem.setExtendedAttribute(
    tree.ino('kept/attribute'),
    Buffer.from('user.a'),
    pattern(1, 5),
    0,
    false,
    CALLER,
  );
  tree.set('kept/rewritten', { size: 0 });
  tree.write('kept/rewritten', 0, pattern(3, 1000));
  tree.set('kept/read', { atime: { seconds: 1, nanoseconds: 2 } });
  tree.remove('kept/lost');
  tree.rename('kept/old', 'moved/new');
  tree.rename('moved', 'kept/moved');
  tree.write('kept/moved/deep/inside', 0, Buffer.from('changed'));
  tree.remove('gone/below');
  tree.removeDirectory('gone');
  tree.write('large', 200_000, Buffer.from('in the middle'));
  tree.file('saving', pattern(6, 101));
  tree.rename('saving', 'saved');
  tree.remove('replaced');
  tree.file('replaced', pattern(5, 100));
  tree.remove('becomes a symlink');
  tree.symlink('becomes a symlink', 'target');
  tree.remove('link');
  tree.symlink('link', 'there');
  tree.link('two names', 'third name');
  tree.remove('second name');
  tree.rename('x', 'y', RENAME_EXCHANGE);
  tree.directory('added');
  tree.file('added/one', pattern(1, 1));
  tree.file('added/two', pattern(1, 1));
  tree.link('added/two', 'added/two again');

  const expected = [
    'modified kept/bytes data,mtime',
    'modified kept/grown data,mtime',
    'modified kept/mode mode',
    'modified kept/owner owner,group',
    'modified kept/attribute xattrs',
    'modified kept/rewritten mtime',
    'removed kept/lost',
    'renamed kept/old → kept/moved/new',
    'renamed moved → kept/moved',
    'modified moved/deep/inside → kept/moved/deep/inside data,mtime',
    'removed gone/below',
    'removed gone',
    'modified large data,mtime',
    'modified saved data,mtime',
    'modified replaced mtime',
    'retyped becomes a symlink',
    'modified link data,mtime',
    'linked third name',
    'unlinked second name',
    'renamed x → y',
    'renamed y → x',
    'added added',
    'added added/one',
    'added added/two',
    'added added/two again',
  ].sort();
  test.strictSame(show(await tree.diff(before)), expected, 'against the live volume');
  const after = await tree.snapshot();
  test.strictSame(show(await tree.diff(before, after)), expected, 'between snapshots');
  const below = await tree.diff(before, after, { path: Buffer.from('added') });
  test.strictSame(show(below), ['added added', 'added added/one', 'added added/two', 'added added/two again']);
  const moved = await tree.diff(before, after, { path: Buffer.from('moved') });
  test.strictSame(show(moved).length, 2, 'a path of the earlier state counts too');
  const back = show(await tree.diff(after, before));
  test.ok(back.includes('renamed kept/moved → moved') && back.includes('added gone/below'), 'the other way round');
  const large = (await tree.diff(before)).find(({ path }) => Buffer.from(path).toString() === 'kept/grown');
  test.strictSame([large?.before?.size, large?.after?.size], [1000, 1004], 'sizes before and after');
  test.equal(structuralProblem(tree.served.store, tree.served.disk), undefined, 'the store is whole');
  await tree.served.store.close();
});

t.test('what was rolled back or replaced as a whole is compared by its paths', async (test) => {
  const tree = await TreeByPath.make(test);
  tree.directory('work');
  tree.directory('work/sub');
  for (let i = 0; i < 20; i++) tree.file(`work/sub/file ${i}`, pattern(i, 100));
  const before = await tree.snapshot();
  tree.write('work/sub/file 3', 0, Buffer.from('changed'));
  tree.remove('work/sub/file 4');
  const changed = await tree.snapshot();
  await tree.datasets.rollBack('main', before, { keepAs: undefined, path: 'work/sub' });
  test.strictSame(show(await tree.diff(before)), [], 'the same as before, by paths');
  test.strictSame(show(await tree.diff(changed)), ['added work/sub/file 4', 'modified work/sub/file 3 data,mtime']);
  tree.write('work/sub/file 5', 0, Buffer.from('changed'));
  tree.file('work/sub/new', pattern(1, 1));
  tree.remove('work/sub/file 6');
  test.strictSame(show(await tree.diff(before)), [
    'added work/sub/new',
    'modified work/sub/file 5 data,mtime',
    'removed work/sub/file 6',
  ]);
  await tree.served.store.close();
});

t.test('the earlier path of what took the place of another in a directory that was renamed', async (test) => {
  const tree = await TreeByPath.make(test);
  for (const name of ['one', 'two']) {
    tree.directory(name);
    tree.file(`${name}/saved`, pattern(3, 100));
    tree.file(`${name}/turned`, pattern(3, 100));
  }
  const before = await tree.snapshot();
  tree.rename('one', 'two', RENAME_EXCHANGE);
  tree.file('saving', pattern(4, 100));
  tree.rename('saving', 'two/saved');
  tree.remove('two/turned');
  tree.symlink('two/turned', 'target');
  const expected = [
    'modified one/saved → two/saved data,mtime',
    'renamed one → two',
    'renamed two → one',
    'retyped one/turned → two/turned',
  ];
  test.strictSame(show(await tree.diff(before)), expected);
  const below = await tree.diff(before, undefined, { path: Buffer.from('one/saved') });
  test.strictSame(show(below), [expected[0]], 'it is found by that path too');
  await tree.served.store.close();
});

t.test('a file with several names is found by each of them', async (test) => {
  const tree = await TreeByPath.make(test);
  for (const path of ['one', 'two', 'two/deep', 'three']) tree.directory(path);
  tree.file('one/name', pattern(3, 100));
  tree.link('one/name', 'two/deep/other');
  const before = await tree.snapshot();
  tree.write('one/name', 0, Buffer.from('changed'));
  const shownBelow = async (path: string): Promise<string[]> =>
    show(await tree.diff(before, undefined, { path: Buffer.from(path) }));
  test.strictSame(await shownBelow('one'), ['modified one/name data,mtime']);
  test.strictSame(await shownBelow('two'), ['modified two/deep/other data,mtime']);
  test.strictSame(await shownBelow('two/deep/other'), ['modified two/deep/other data,mtime']);
  test.strictSame(await shownBelow('three'), []);
  test.strictSame(await shownBelow('nowhere/at/all'), []);
  test.equal((await tree.diff(before)).length, 1, 'and told once');
  await tree.served.store.close();
});

t.test('the live state stays as it was when the comparison began', async (test) => {
  const tree = await TreeByPath.make(test);
  for (let i = 0; i < 500; i++) tree.file(`file ${i}`, pattern(i, 2000));
  tree.file('large', pattern(9, LARGE));
  const before = await tree.snapshot();
  for (let i = 0; i < 500; i += 5) tree.write(`file ${i}`, 0, Buffer.from('changed'));
  tree.write('large', 100_000, Buffer.from('changed'));
  const { store } = tree.served;
  const [a, b] = [new PinnedTree(store, before), new PinnedTree(store, tree.datasets.volume('main'))];
  let count = 0;
  for await (const { path } of compareStates(a, b)) {
    if (count++ === 0) {
      for (let i = 0; i < 500; i++) tree.remove(`file ${i}`);
      tree.set('large', { size: 0 });
      await tree.datasets.destroy(before);
      await store.checkpoint();
    }
    test.ok(path.length > 0);
  }
  test.equal(count, 101);
  a.release();
  b.release();
  while (store.hasDying) await new Promise(setImmediate);
  test.equal(structuralProblem(store, tree.served.disk), undefined, 'the store is whole');
  await store.close();
});

/** All files of a state: by inode, where it is and what it is. */
async function everything(
  served: ServedVolume,
  dataset: Dataset,
): Promise<Map<Ino, { paths: string[]; text: string }>> {
  const pinned = new PinnedTree(served.store, dataset);
  const filesystem = new FileSystem(pinned.volume, { atime: 'noatime' });
  const found = new Map<Ino, { paths: string[]; text: string }>();
  const walk = async (ino: Ino, path: string): Promise<void> => {
    const children: [string, Ino][] = [];
    filesystem.readDirectory(ino, 0, (name, child) => {
      const text = Buffer.from(name).toString();
      if (text !== '.' && text !== '..') children.push([`${path}${text}`, child]);
      return true;
    });
    for (const [childPath, child] of children) {
      const known = found.get(child);
      if (known !== undefined) {
        known.paths.push(childPath);
        continue;
      }
      const out = new Attributes();
      filesystem.getAttributes(child, out);
      const isDirectory = out.mode >>> 12 === 4;
      const bytes = Buffer.alloc(isDirectory ? 0 : out.size);
      if (!isDirectory) await filesystem.read(child, 0, out.size, bytes, 0);
      const time = isDirectory ? '' : `${out.mtimeSeconds}.${out.mtimeNanoseconds}`;
      found.set(child, { paths: [childPath], text: `${out.mode} ${out.uid} ${time} ${bytes.toString('latin1')}` });
      if (isDirectory) await walk(child, `${childPath}/`);
    }
  };
  await walk(ROOT_INO, '');
  pinned.release();
  return found;
}

function changeAtRandom(tree: TreeByPath, random: Random, paths: Set<string>): void {
  const all = [...paths];
  const some = all[random.below(all.length)];
  const directories = all.filter((path) => path.endsWith('/'));
  const parent = directories[random.below(directories.length)];
  const fresh = `${parent}n${random.below(1000)}`;
  try {
    switch (random.below(7)) {
      case 0:
        tree.directory(fresh);
        paths.add(`${fresh}/`);
        break;
      case 1:
        tree.file(fresh, pattern(random.below(100), random.below(100_000)));
        paths.add(fresh);
        break;
      case 2:
        tree.write(some, random.below(5) * 30_000, pattern(random.below(50), 100));
        break;
      case 3:
        tree.set(some, { mode: random.below(0o777) });
        break;
      case 4: {
        if (some === '/') break;
        const isDirectory = some.endsWith('/');
        tree.rename(isDirectory ? some.slice(0, -1) : some, fresh);
        for (const path of all.filter((other) => other.startsWith(some))) {
          paths.delete(path);
          paths.add(`${fresh}${isDirectory ? '/' : ''}${path.slice(some.length)}`);
        }
        break;
      }
      case 5:
        tree.link(some, fresh);
        paths.add(fresh);
        break;
      default:
        if (some.endsWith('/')) tree.removeDirectory(some.slice(0, -1));
        else tree.remove(some);
        paths.delete(some);
    }
  } catch {
    // Not possible for what was chosen.
  }
}

t.test('random changes', async (test) => {
  const random = Random.announced(test);
  const tree = await TreeByPath.make(test);
  const paths = new Set(['/']);
  for (let i = 0; i < 150; i++) changeAtRandom(tree, random, paths);
  for (let round = 0; round < 12; round++) {
    const before = await tree.snapshot();
    for (let i = 0; i < 4 + random.below(60); i++) changeAtRandom(tree, random, paths);
    const after = await tree.snapshot();
    const [a, b] = [await everything(tree.served, before), await everything(tree.served, after)];
    const changes = await tree.diff(before, after);
    const reported = new Map(changes.map((change) => [`${change.after?.ino ?? change.before?.ino}`, change]));
    for (const [ino, now] of b) {
      const was = a.get(ino);
      const change = reported.get(`${ino}`);
      if (was === undefined) {
        const inPlace = [...a].find(
          ([other, file]) => !b.has(other) && file.paths.some((path) => now.paths.includes(path)),
        );
        test.ok(change !== undefined || inPlace?.[1].text === now.text, `new ${now.paths}`);
        continue;
      }
      if (was.text === now.text && was.paths.join() === now.paths.join())
        test.equal(change, undefined, `same ${now.paths}`);
      else if (was.text !== now.text) test.ok(change, `changed ${was.paths} → ${now.paths}`);
      else if (change?.type === 'renamed') test.not(was.paths[0], now.paths[0]);
    }
    for (const [ino, was] of a) {
      if (b.has(ino)) continue;
      const isGone = was.paths.every((path) => ![...b.values()].some((now) => now.paths.includes(path)));
      if (isGone)
        test.ok(
          changes.some(({ before: file }) => file?.ino === ino),
          `gone ${was.paths}`,
        );
    }
  }
  test.equal(structuralProblem(tree.served.store, tree.served.disk), undefined, 'the store is whole');
  await tree.served.store.close();
});
