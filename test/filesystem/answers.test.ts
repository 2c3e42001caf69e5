/** What a change can be answered with once it is logged, and before it is applied. */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { Namespace } from '../../src/filesystem/namespace.js';
import type { Caller } from '../../src/filesystem/operations.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from '../volume/served-volume.js';

const SETGID_DIRECTORY = 0o2775;
const bytes = (text: string): Uint8Array => Buffer.from(text);

t.test('attributes are known when a change is logged, and are those that it leads to', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  served.makeFile('before', bytes('data'));
  const snapshot = await datasets.createSnapshot('main', 'one');
  const files = new Namespace(served.store, datasets.volume('main'), { atime: 'noatime' });

  /** Makes a change that fills `out`, and looks at it three times. Returns the node. */
  const shows = (what: string, change: (caller: Caller, out: Attributes) => void): Ino => {
    const out = new Attributes();
    const answers: Attributes[] = [];
    change({ ...CALLER, uid: 7, gid: 8, logged: () => answers.push({ ...out }) }, out);
    const applied = new Attributes();
    files.getAttributes(out.ino, applied);
    t.strictSame(answers, [{ ...applied }], what);
    t.strictSame(out, applied, what);
    return out.ino;
  };
  const allChanges = (suffix: string): void => {
    const name = (text: string): Uint8Array => bytes(`${text}${suffix}`);
    const file = shows('file', (caller, out) => files.makeNode(ROOT_INO, name('f'), 0o100644, 0, caller, out));
    shows('FIFO', (caller, out) => files.makeNode(ROOT_INO, name('p'), 0o010600, 0, caller, out));
    shows('device', (caller, out) => files.makeNode(ROOT_INO, name('b'), 0o060600, 0x801, caller, out));
    shows('symlink', (caller, out) => files.makeSymlink(ROOT_INO, name('s'), bytes('target'), caller, out));
    shows('no name', (caller, out) => files.makeTemporary(ROOT_INO, 0o100600, caller, out));
    const directory = shows('directory', (caller, out) =>
      files.makeDirectory(ROOT_INO, name('d'), SETGID_DIRECTORY, caller, out),
    );
    shows('below setgid', (caller, out) => files.makeDirectory(directory, bytes('e'), 0o755, caller, out));
    files.write(file, 0, 4, bytes('data'), 0, false, CALLER);
    const set = (what: string, changes: Parameters<Namespace['setAttributes']>[1]) =>
      shows(what, (caller, out) => files.setAttributes(file, changes, caller, out));
    set('mode', { mode: 0o6755 });
    set('owner', { uid: 3, gid: 4, killPrivileges: true });
    set('times', { mtime: { seconds: -5, nanoseconds: 6 }, ctime: { seconds: 2 ** 33, nanoseconds: 7 } });
    set('atime', { atime: 'now' });
    set('size and mode', { size: 100, mode: 0o600 });
  };
  allChanges('');
  await datasets.rollBack('main', snapshot, { keepAs: undefined });
  // Inodes have other node numbers now.
  allChanges('-after');
  await served.store.close();
});

t.test('a change is told to be logged once, before others can see it', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const { filesystem } = served;
  const ino = served.makeFile('f', bytes('data'));
  const isThere = (name: string): boolean => filesystem.find(ROOT_INO, bytes(name), new Attributes());
  const seen: boolean[] = [];
  const caller = (name: string): Caller => ({ ...CALLER, logged: () => seen.push(isThere(name)) });
  filesystem.rename(ROOT_INO, bytes('f'), ROOT_INO, bytes('g'), 0, caller('g'));
  filesystem.write(ino, 0, 4, bytes('more'), 0, false, caller('g'));
  filesystem.write(ino, 0, 100_000, new Uint8Array(100_000), 0, false, caller('g'));
  filesystem.unlink(ROOT_INO, bytes('g'), caller('g'));
  t.same(seen, [false, true, true, true]);
  t.notOk(isThere('g'));

  t.throws(() => filesystem.unlink(ROOT_INO, bytes('g'), caller('g')));
  t.throws(() => filesystem.makeNode(ROOT_INO, bytes('..'), 0o100644, 0, caller('g'), new Attributes()));
  t.equal(seen.length, 4, 'what is refused is not logged');
  await served.store.close();
});
