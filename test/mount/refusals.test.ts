/**
 * Every way in which a mount is refused: what the command says, its exit code, and that nothing is left behind.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { crc32c } from '../../src/native/addon.js';
import { razorfs, run } from '../cli/program.js';
import { Place } from './mounting.js';

const PAGE = 4096;

t.test('mount points that cannot be used', async (t) => {
  const place = new Place(t);
  const cases: [string, RegExp][] = [
    [path.join(place.directory, 'missing'), /does not exist[\s\S]*mkdir -p/],
    [path.join(place.directory, 'file'), /is not a directory/],
    [path.join(place.directory, 'full'), /is not empty/],
    [path.join(place.directory, 'file/below'), /not a directory/],
  ];
  writeFileSync(path.join(place.directory, 'file'), '');
  mkdirSync(path.join(place.directory, 'full/something'), { recursive: true });
  for (const [mountPoint, message] of cases) {
    const { code, stdout, stderr } = await razorfs([mountPoint, '--store', place.store]);
    t.equal(code, EXIT.mountPoint, mountPoint);
    t.match(stderr, message);
    t.equal(stdout, '');
  }
  t.notOk(existsSync(place.store), 'no store was made on the way');
  const over = await razorfs([path.join(place.directory, 'full'), '--store', place.store, '-o', 'nonempty']);
  t.equal(over.code, EXIT.success, over.stderr);
});

t.test('a mount point in the store, and a store in the mount point', async (t) => {
  const place = new Place(t);
  const inside = path.join(place.store, 'mnt');
  mkdirSync(inside, { recursive: true });
  const first = await razorfs([inside, '--store', place.store]);
  t.equal(first.code, EXIT.mountPoint);
  t.match(first.stderr, 'lies inside the store');
  const second = await razorfs([place.mountPoint, '--store', path.join(place.mountPoint, 'store')]);
  t.equal(second.code, EXIT.mountPoint);
  t.match(second.stderr, 'which would hide it');
  t.same(readdirSync(place.mountPoint), []);
});

t.test('a store in use, and a mount point in use', async (t) => {
  const place = new Place(t);
  const { pid } = await place.mounted();
  const other = path.join(place.directory, 'other');
  mkdirSync(other);
  const store = await razorfs([other, '--store', place.store]);
  t.equal(store.code, EXIT.inUse);
  t.match(store.stderr, `mounted at ${place.mountPoint} by process ${pid}`);
  const mountPoint = await razorfs([place.mountPoint, '--store', path.join(place.directory, 'store2')]);
  t.equal(mountPoint.code, EXIT.inUse);
  t.match(mountPoint.stderr, `${place.mountPoint} is a RazorFS mount already; its store is ${place.store}`);
  t.notOk(existsSync(path.join(place.directory, 'store2')));
  const mkfs = await razorfs(['mkfs', '--force', place.store]);
  t.equal(mkfs.code, EXIT.inUse);
});

t.test('directories that are no store', async (t) => {
  const place = new Place(t);
  mkdirSync(place.store);
  writeFileSync(path.join(place.store, 'thesis.txt'), 'precious');
  for (const words of [
    [place.mountPoint, '--store', place.store],
    ['mkfs', '--force', place.store],
  ]) {
    const { code, stderr } = await razorfs(words);
    t.equal(code, EXIT.store);
    t.match(stderr, 'holds files that are not a RazorFS store');
  }
  t.same(readdirSync(place.store), ['thesis.txt'], 'no lock, no log');
  const file = await razorfs([place.mountPoint, '--store', path.join(place.store, 'thesis.txt')]);
  t.equal(file.code, EXIT.store);
  t.match(file.stderr, 'not a directory');
  const readOnly = await razorfs([place.mountPoint, '--store', path.join(place.directory, 'new'), '--read-only']);
  t.equal(readOnly.code, EXIT.store);
  t.match(readOnly.stderr, 'none can be made for a read-only mount');
});

t.test('a store of a newer format, and one whose superblocks are destroyed', async (t) => {
  const place = new Place(t);
  t.equal((await razorfs(['mkfs', place.store])).code, EXIT.success);
  const file = path.join(place.store, 'superblock');
  const superblock = readFileSync(file);
  for (const slot of [superblock.subarray(0, PAGE), superblock.subarray(PAGE, 2 * PAGE)]) {
    slot.set(superblock.subarray(PAGE, 2 * PAGE));
    slot.writeUInt32LE(99, 12);
    slot.writeUInt32LE(crc32c(slot, 4, PAGE - 4), 0);
  }
  writeFileSync(file, superblock);
  const newer = await place.mount();
  t.equal(newer.code, EXIT.store);
  t.match(newer.stderr, /store .*store cannot be used: the store has format 99/);
  t.match(newer.stderr, 'Use the version of RazorFS that wrote it');

  superblock[100]! ^= 1;
  superblock[PAGE + 100]! ^= 1;
  writeFileSync(file, superblock);
  const destroyed = await place.mount();
  t.equal(destroyed.code, EXIT.store);
  t.match(destroyed.stderr, `razorfsck ${place.store}`);
});

t.test('a store without its superblock is not taken for an empty place', async (t) => {
  const place = new Place(t);
  await razorfs(['mkfs', place.store]);
  rmSync(path.join(place.store, 'superblock'));
  const { code, stderr } = await place.mount();
  t.equal(code, EXIT.store);
  t.match(stderr, `razorfs mkfs --force ${place.store}`);
  t.equal((await razorfs(['mkfs', place.store])).code, EXIT.store);
  t.equal((await razorfs(['mkfs', '--force', place.store])).code, EXIT.success);
  t.equal((await place.mount()).code, EXIT.success);
});

t.test('mkfs makes, refuses and replaces', async (t) => {
  const place = new Place(t);
  const made = await razorfs(['mkfs', '--json', '--label', 'first', place.store]);
  t.equal(made.code, EXIT.success, made.stderr);
  t.match(JSON.parse(made.stdout), { store: place.store, label: 'first', uuid: /^[0-9a-f]{32}$/ });
  await place.mounted();
  writeFileSync(path.join(place.mountPoint, 'a'), '');
  await place.umount();
  const refused = await razorfs(['mkfs', place.store]);
  t.equal(refused.code, EXIT.store);
  t.match(refused.stderr, 'holds a store already');
  const replaced = await razorfs(['mkfs', '--force', place.store]);
  t.equal(replaced.code, EXIT.success, replaced.stderr);
  await place.mounted();
  t.same(readdirSync(place.mountPoint), []);
});

t.test('mount options that are not known', async (t) => {
  const place = new Place(t);
  const { code, stderr } = await place.mount(['-o', 'ro,frobnicate']);
  t.equal(code, EXIT.usage);
  t.match(stderr, /"frobnicate" is not known[\s\S]*noatime/);
  t.notOk(existsSync(place.store));
});

t.test('unmounting what is not ours', async (t) => {
  const place = new Place(t);
  const nothing = await razorfs(['umount', place.mountPoint]);
  t.equal(nothing.code, EXIT.notMounted);
  const root = await razorfs(['umount', '/']);
  t.equal(root.code, EXIT.notMounted);
  t.match(root.stderr, /\/ is a mount of type \w+, not RazorFS/);
});

t.test('a store in memory', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async (t) => {
  const place = new Place(t);
  mkdirSync(place.store);
  t.equal((await run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', place.store])).code, 0);
  t.teardown(() => run('umount', ['-l', place.store]));
  const { code, stderr } = await place.mount();
  t.equal(code, EXIT.success, stderr);
  t.match(stderr, `WARNING  The store ${place.store} is in memory (tmpfs).`);
  t.match(stderr, 'IS LOST');
  t.match((await razorfs(['status', place.mountPoint])).stdout, /VOLATILE +the store is in memory \(tmpfs\)/);
  await place.umount();
});

t.test('no space for a store', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async (t) => {
  const place = new Place(t);
  mkdirSync(place.store);
  t.equal((await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place.store])).code, 0);
  t.teardown(() => run('umount', ['-l', place.store]));
  const { code, stderr } = await place.mount();
  t.equal(code, EXIT.noSpace, stderr);
  t.match(stderr, /no space left for the store/);
  t.same(readdirSync(place.mountPoint), []);
});

t.test('a read-only mount', async (t) => {
  const place = new Place(t);
  await place.mounted();
  writeFileSync(path.join(place.mountPoint, 'a'), 'text');
  t.equal((await razorfs(['snapshot', 'create', place.mountPoint, 'one'])).code, EXIT.success);
  await place.umount();
  for (const words of [['--read-only'], ['-o', 'ro']]) {
    t.equal((await place.mount(words)).code, EXIT.success);
    t.equal(readFileSync(path.join(place.mountPoint, 'a'), 'utf8'), 'text');
    t.throws(() => writeFileSync(path.join(place.mountPoint, 'b'), ''), { code: 'EROFS' });
    t.match((await razorfs(['status', place.mountPoint])).stdout, /READ-ONLY +mounted read-only/);
    for (const changing of [
      ['snapshot', 'create', place.mountPoint, 'two'],
      ['rollback', place.mountPoint, 'one'],
      ['reset', place.mountPoint, '--to', 'one'],
      ['persist', 'add', place.mountPoint, '/a'],
      ['volume', 'set', place.mountPoint, 'quota=1G'],
    ]) {
      const refused = await razorfs(changing);
      t.equal(refused.code, EXIT.failure, changing.join(' '));
      t.match(
        refused.stderr,
        `The store is read-only, since ${place.mountPoint} was mounted with --read-only (or -o ro).`,
      );
      t.match(refused.stderr, `razorfs umount ${place.mountPoint}`);
    }
    const listed = await razorfs(['snapshot', 'list', place.mountPoint]);
    t.match(listed, { code: EXIT.success, stdout: 'main@one' });
    t.equal((await place.umount()).code, EXIT.success);
  }
  for (const option of ['--reset-on-mount', '--ephemeral']) {
    const { code, stderr } = await place.mount(['--read-only', option]);
    t.equal(code, EXIT.failure, option);
    t.match(stderr, 'Leave --read-only (or -o ro) out.');
  }
});
