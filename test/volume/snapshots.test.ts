/** Snapshots, clones and rollbacks of a volume, without a mount: what each tree shows, and that the store stays whole. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Errno, ESTALE } from '../../src/errors/errno.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { Namespace } from '../../src/filesystem/namespace.js';
import { asIno, type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { structuralProblem } from '../crash/structure.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

const LARGE = 300_000;
const pattern = (seed: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * seed) >> 3));

const makeDirectory = (filesystem: FileSystem, parent: Ino, name: string): Ino => {
  const out = new Attributes();
  filesystem.makeDirectory(parent, Buffer.from(name), 0o755, CALLER, out);
  return out.ino;
};

const digest = (bytes: Uint8Array): string =>
  `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;

/** Everything that a path leads to, as text. */
async function contents(filesystem: FileSystem, ino: Ino = ROOT_INO, path = ''): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const children: [string, Ino][] = [];
  filesystem.readDirectory(ino, 0, (name, child) => {
    const text = Buffer.from(name).toString();
    if (text !== '.' && text !== '..') children.push([text, child]);
    return true;
  });
  for (const [name, child] of children) {
    const out = new Attributes();
    filesystem.getAttributes(child, out);
    const { mode, size } = out;
    if (mode >>> 12 === 4) {
      found.set(`${path}/${name}`, 'directory');
      for (const [below, what] of await contents(filesystem, child, `${path}/${name}`)) found.set(below, what);
    } else {
      const bytes = Buffer.alloc(size);
      await filesystem.read(child, 0, size, bytes, 0);
      found.set(`${path}/${name}`, digest(bytes));
    }
  }
  return found;
}

const whole = (t: Test, served: ServedVolume, when: string): void =>
  void t.equal(structuralProblem(served.store, served.disk), undefined, `the store is whole ${when}`);

async function fill(served: ServedVolume): Promise<void> {
  const directory = makeDirectory(served.filesystem, ROOT_INO, 'directory');
  for (let i = 0; i < 200; i++)
    served.makeFile(`file ${i}`, pattern(i + 1, i * 40), i % 2 === 0 ? ROOT_INO : directory);
  served.makeFile('large', pattern(7, LARGE));
}

/** Gives the reaper its turns. */
async function reap(served: ServedVolume): Promise<void> {
  while (served.store.hasDying) await setImmediate();
}

t.test('a snapshot stays as it is, whatever becomes of the volume', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  await fill(served);
  const before = await contents(served.filesystem);
  const snapshot = await datasets.createSnapshot('main', 'one');
  const shown = (): FileSystem => new FileSystem(served.store.snapshot(snapshot), { atime: 'noatime' });
  whole(t, served, 'after the snapshot');

  const { filesystem } = served;
  const large = served.find('large');
  filesystem.write(large, 70_000, 5, Buffer.from('patch'), 0, false, CALLER);
  filesystem.write(large, LARGE - 10, 100, Buffer.alloc(100, 1), 0, false, CALLER);
  whole(t, served, 'after writes to a large file');
  for (let i = 0; i < 200; i += 4) served.remove(`file ${i}`);
  for (let i = 2; i < 200; i += 4)
    filesystem.write(served.find(`file ${i}`), 0, 3, Buffer.from('new'), 0, false, CALLER);
  for (let i = 0; i < 50; i++) served.makeFile(`later ${i}`, pattern(3, 500));
  t.strictSame(await contents(shown()), before, 'the snapshot has what it had');
  whole(t, served, 'after changes');
  const expected = pattern(7, LARGE + 90);
  pattern(7, LARGE).copy(expected);
  Buffer.from('patch').copy(expected, 70_000);
  expected.fill(1, LARGE - 10);
  t.ok((await served.read(large)).equals(expected), 'the volume has what was written');

  filesystem.setAttributes(large, { size: 150_001 }, CALLER, new Attributes());
  filesystem.setAttributes(large, { size: 200_000 }, CALLER, new Attributes());
  expected.fill(0, 150_001);
  t.ok((await served.read(large)).equals(expected.subarray(0, 200_000)), 'what was cut off does not come back');
  whole(t, served, 'after cuts');
  const after = await contents(filesystem);

  await served.reopen();
  const again = new Datasets(served.store);
  t.strictSame(await contents(served.filesystem), after, 'the volume is the same after reopening');
  const reopened = new FileSystem(served.store.snapshot(again.snapshot('main', 'one')), { atime: 'noatime' });
  t.strictSame(await contents(reopened), before, 'and so is the snapshot');
  whole(t, served, 'after reopening');

  await again.destroy(again.snapshot('main', 'one'));
  await reap(served);
  whole(t, served, 'after the destruction');
  t.equal(served.store.state.references.count('string', 64), 1);
  await served.reopen();
  t.equal(served.store.state.references.saved, 0, 'nothing is shared any more');
  t.strictSame(await contents(served.filesystem), after);
  await served.store.close();
});

t.test('a rollback shows the snapshot, and keeps what it replaces', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  await fill(served);
  const before = await contents(served.filesystem);
  const snapshot = await datasets.createSnapshot('main', 'good');
  for (let i = 0; i < 100; i += 2) served.remove(`file ${i}`);
  const broken = await contents(served.filesystem);
  await datasets.rollBack('main', snapshot, { keepAs: 'broken' });
  t.strictSame(await contents(served.filesystem), before);
  whole(t, served, 'after the rollback');
  const kept = new FileSystem(served.store.snapshot(datasets.snapshot('main', 'broken')), { atime: 'noatime' });
  t.strictSame(await contents(kept), broken, 'the replaced state is kept');
  served.makeFile('after', pattern(2, 100));
  await served.reopen();
  whole(t, served, 'after reopening');
  t.ok((await contents(served.filesystem)).has('/after'));

  const again = new Datasets(served.store);
  await again.rollBack('main', again.snapshot('main', 'good'), { keepAs: undefined });
  await reap(served);
  t.strictSame(await contents(served.filesystem), before, 'again, without keeping');
  whole(t, served, 'after the second rollback');
  await served.store.close();
});

t.test('a rollback carries over what is at some paths', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  const etc = makeDirectory(served.filesystem, ROOT_INO, 'etc');
  served.makeFile('hostname', Buffer.from('blank'), etc);
  const blank = await datasets.createSnapshot('main', 'blank');
  const ssh = makeDirectory(served.filesystem, etc, 'ssh');
  served.makeFile('key', Buffer.from('secret'), ssh);
  const home = makeDirectory(served.filesystem, ROOT_INO, 'home');
  const documents = makeDirectory(served.filesystem, home, 'documents');
  served.makeFile('thesis', pattern(5, LARGE), documents);
  served.makeFile('cache', pattern(5, 100), home);
  const out = new Attributes();
  served.filesystem.link(served.find('key', ssh), documents, Buffer.from('key too'), CALLER, out);
  served.filesystem.write(served.find('hostname', etc), 0, 4, Buffer.from('mine'), 0, false, CALLER);
  const all = await contents(served.filesystem);
  const carried = ['etc/ssh', 'home/documents', 'does/not/exist'];
  await datasets.rollBack('main', blank, { keepAs: 'old', carried });
  whole(t, served, 'after the reset');
  const now = await contents(served.filesystem);
  t.equal(now.get('/etc/hostname'), digest(Buffer.from('blank')), 'what is not carried is as it was');
  t.equal(now.get('/etc/ssh/key'), all.get('/etc/ssh/key'));
  t.equal(now.get('/home/documents/thesis'), all.get('/home/documents/thesis'));
  t.notOk(now.has('/home/cache'));
  const key = served.find('key', served.find('ssh', served.find('etc')));
  served.filesystem.getAttributes(key, out);
  t.equal(out.nlink, 2, 'links between carried paths stay');
  served.filesystem.write(key, 0, 3, Buffer.from('new'), 0, false, CALLER);
  await served.reopen();
  whole(t, served, 'after reopening');
  const old = new Datasets(served.store);
  const shown = new FileSystem(served.store.snapshot(old.snapshot('main', 'old')), { atime: 'noatime' });
  t.strictSame(await contents(shown), all, 'the old state can be looked at');
  await served.store.close();
});

t.test('one subtree is rolled back alone', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  await fill(served);
  const before = await contents(served.filesystem);
  const snapshot = await datasets.createSnapshot('main', 'good');
  const directory = served.find('directory');
  for (let i = 1; i < 100; i += 2) served.remove(`file ${i}`, directory);
  served.makeFile('new here', pattern(1, 10), directory);
  served.makeFile('new elsewhere', pattern(1, 10));
  await datasets.rollBack('main', snapshot, { keepAs: 'kept', path: 'directory' });
  whole(t, served, 'after the rollback');
  const after = await contents(served.filesystem);
  t.ok(after.has('/new elsewhere'), 'the rest is left alone');
  after.delete('/new elsewhere');
  t.strictSame(after, before);
  t.throws(() => served.filesystem.getAttributes(directory, new Attributes()), ESTALE, 'the replaced inode is gone');
  await served.reopen();
  whole(t, served, 'after reopening');
  const snapshots = new Datasets(served.store);
  for (const { name } of snapshots.snapshots('main')) await snapshots.destroy(snapshots.snapshot('main', name));
  await reap(served);
  whole(t, served, 'after all snapshots are gone');
  await served.store.close();
});

t.test('a clone goes its own way', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  await fill(served);
  const before = await contents(served.filesystem);
  const snapshot = await datasets.createSnapshot('main', 'base');
  await datasets.createVolume('clone', snapshot, { uid: 0, gid: 0 });
  const volume = served.store.volume('clone');
  t.ok(volume !== undefined);
  const clone = new FileSystem(volume!, { atime: 'noatime' });
  for (let i = 0; i < 40; i += 2) served.remove(`file ${i}`);
  const out = new Attributes();
  for (let i = 100; i < 140; i += 2) {
    clone.lookup(ROOT_INO, Buffer.from(`file ${i}`), out);
    clone.write(out.ino, 0, 5, Buffer.from('clone'), 0, false, CALLER);
  }
  clone.lookup(ROOT_INO, Buffer.from('large'), out);
  clone.write(out.ino, 1, 5, Buffer.from('clone'), 0, false, CALLER);
  whole(t, served, 'after changes to both');
  t.strictSame(await contents(new FileSystem(served.store.snapshot(snapshot), { atime: 'noatime' })), before);
  const [inMain, inClone] = [await contents(served.filesystem), await contents(clone)];
  t.not(inMain.get('/large'), inClone.get('/large'));
  await datasets.destroy(snapshot);
  await reap(served);
  await served.reopen();
  whole(t, served, 'after the snapshot is gone');
  t.strictSame(await contents(served.filesystem), inMain);
  t.strictSame(await contents(new FileSystem(served.store.volume('clone')!, { atime: 'noatime' })), inClone);
  const again = new Datasets(served.store);
  await again.createVolume('empty', undefined, { uid: 5, gid: 6 });
  await again.destroy(again.volume('clone'));
  await again.createVolume('twin', again.volume('main'), { uid: 0, gid: 0 });
  t.strictSame(
    await contents(new FileSystem(served.store.volume('twin')!, { atime: 'noatime' })),
    inMain,
    'a clone of a volume',
  );
  whole(t, served, 'with a clone of a volume');
  await again.destroy(again.volume('twin'));
  await reap(served);
  whole(t, served, 'after the clone is gone');
  t.strictSame(await contents(served.filesystem), inMain);
  await served.store.close();
});

t.test('a mount shows snapshots, and no file of a replaced state', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  served.makeFile('file', Buffer.from('old'));
  const snapshot = await datasets.createSnapshot('main', 'one');
  const file = served.find('file');
  served.filesystem.write(file, 0, 3, Buffer.from('new'), 0, false, CALLER);
  const namespace = new Namespace(served.store, datasets.volume('main'), { atime: 'noatime' });
  const out = new Attributes();
  const walk = (...names: string[]): Ino => {
    let node: Ino = ROOT_INO;
    for (const name of names) {
      namespace.lookup(node, Buffer.from(name), out);
      node = out.ino;
    }
    return node;
  };
  const read = async (node: Ino): Promise<string> => {
    const bytes = Buffer.alloc(3);
    await namespace.read(node, 0, 3, bytes, 0);
    return bytes.toString();
  };
  const node = walk('file');
  t.equal(await read(node), 'new');
  t.equal(await read(walk('.razorfs', 'snapshots', 'one', 'file')), 'old');
  t.throws(
    () => namespace.write(walk('.razorfs', 'snapshots', 'one', 'file'), 0, 1, Buffer.from('x'), 0, false, CALLER),
    Errno,
  );
  const listed: string[] = [];
  namespace.readDirectory(ROOT_INO, 0, (name) => listed.push(Buffer.from(name).toString()) > 0);
  t.strictSame(listed, ['.', '..', 'file'], 'the control directory is not listed');
  await datasets.rollBack('main', snapshot, { keepAs: undefined });
  t.throws(() => namespace.getAttributes(node, out), ESTALE);
  t.equal(await read(walk('file')), 'old');
  t.equal(asIno(walk('file')) === node, false);
  await served.store.close();
});
