/**
 * Rolling back a volume under a live mount, with programs that have files open and caches that are warm: they find the snapshot's
 * state everywhere, or ESTALE.
 *
 * @timeout 180
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { Place } from './mounting.js';
import { withPlanted } from './planted.js';
import { killWorker } from './worker-kills.js';

const LARGE = 24 * 1024 * 1024;

/** How Node.js tells ESTALE, for which it has no name. */
const STALE = new RegExp(`error -${constants.errno.ESTALE}\\b`);

async function done(t: Test, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await razorfs(words);
  t.equal(code, EXIT.success, `${words[0]} ${words[1]}: ${stderr}`);
  return stdout;
}

/** Everything below a directory: paths, and what files say. */
const contents = (directory: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => {
        const status = statSync(path.join(directory, name));
        return [
          name,
          status.isFile() ? `${status.size} ${readFileSync(path.join(directory, name), 'latin1').slice(0, 99)}` : '',
        ];
      }),
  );

/** Makes files, takes the snapshot `before`, and changes everything. Returns what there was. */
async function changed(t: Test, place: Place): Promise<Record<string, string>> {
  const at = (name: string): string => path.join(place.mountPoint, name);
  mkdirSync(at('directory/inner'), { recursive: true });
  writeFileSync(at('directory/inner/file'), 'old');
  writeFileSync(at('gone'), 'comes back');
  writeFileSync(at('large'), Buffer.alloc(LARGE, 'old '));
  symlinkSync('gone', at('link'));
  const before = contents(place.mountPoint);
  await done(t, 'snapshot', 'create', place.mountPoint, 'before');
  t.notOk(existsSync(at('new')), 'the kernel knows that there is none');
  writeFileSync(at('new'), 'goes');
  writeFileSync(at('directory/inner/file'), 'other words');
  rmSync(at('gone'));
  rmSync(at('link'));
  renameSync(at('directory/inner'), at('moved'));
  const large = openSync(at('large'), 'r+');
  writeSync(large, 'new', 5_000_000);
  closeSync(large);
  t.notSame(contents(place.mountPoint), before);
  return before;
}

t.test('a whole volume, live', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const at = (name: string): string => path.join(place.mountPoint, name);
  const before = await changed(t, place);
  const after = contents(place.mountPoint);
  const open = openSync(at('moved/file'), 'r+');
  const root = openSync(place.mountPoint, 'r');
  const large = openSync(at('large'), 'r');
  readSync(large, Buffer.alloc(4096));
  writeSync(open, 'not yet written back');

  const said = await done(t, 'rollback', place.mountPoint, 'before', '--keep-as', 'after');
  t.equal(said, 'main is as main@before has it; what was there before is main@after\n');
  t.same(contents(place.mountPoint), before);
  t.equal(readFileSync(at('link'), 'utf8'), 'comes back');
  t.notOk(existsSync(at('new')));
  for (const fd of [open, large]) {
    t.throws(() => fstatSync(fd), STALE);
    t.throws(() => readSync(fd, Buffer.alloc(10), 0, 10, 0), STALE);
  }
  t.ok(fstatSync(root).isDirectory(), 'the root is the same');
  closeSync(root);
  writeFileSync(at('directory/inner/file'), 'written after');
  mkdirSync(at('new'));
  t.equal(readFileSync(at('directory/inner/file'), 'utf8'), 'written after');
  t.same(contents(at('.razorfs/snapshots/before')), before);
  t.match(contents(at('.razorfs/snapshots/after')), { ...after, 'moved/file': '20 not yet written back' });

  await done(t, 'rollback', place.mountPoint, 'after');
  t.equal(readFileSync(at('moved/file'), 'utf8'), 'not yet written back', 'forth');
  await killWorker(place.store);
  t.equal(readFileSync(at('moved/file'), 'utf8'), 'not yet written back');
  await done(t, 'rollback', place.mountPoint, 'before', '--no-keep');
  t.same(contents(place.mountPoint), before, 'and back');
  const kept = JSON.parse(await done(t, 'snapshot', 'list', place.mountPoint, '--json')).snapshots;
  t.match(kept, [
    { name: 'main@before', madeBy: null },
    { name: 'main@after', madeBy: null },
    { name: /^main@before-rollback-\d{4}-/, madeBy: 'rollback' },
  ]);
  for (const fd of [open, large]) closeSync(fd);
  t.match(await place.umount(), { code: EXIT.success });
  const check = await run(path.join(ROOT, 'razorfsck'), [place.store]);
  t.equal(check.code, 0, check.stdout);
});

t.test('one path', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const at = (name: string): string => path.join(place.mountPoint, name);
  await changed(t, place);
  mkdirSync(at('directory/inner'));
  writeFileSync(at('directory/inner/other'), 'goes');
  const other = openSync(at('directory/inner/other'), 'r');
  const untouched = openSync(at('new'), 'r');
  await done(t, 'rollback', place.mountPoint, 'before', '--path', '/directory/');
  t.same(contents(at('directory')), { inner: '', 'inner/file': '3 old' });
  t.equal(readFileSync(at('new'), 'utf8'), 'goes', 'all else is as it was');
  t.notOk(existsSync(at('gone')));
  t.equal(fstatSync(untouched).size, 4);
  for (const fd of [other, untouched]) closeSync(fd);
  await done(t, 'rollback', place.mountPoint, 'before', '--path', 'gone', '--no-keep');
  t.equal(readFileSync(at('gone'), 'utf8'), 'comes back', 'where there was nothing');
  const nothing = await razorfs(['rollback', place.mountPoint, 'before', '--path', 'new']);
  t.equal(nothing.code, EXIT.usage);
  t.match(nothing.stderr, 'has nothing at "/new"');
  const up = await razorfs(['rollback', place.mountPoint, 'before', '--path', '../etc']);
  t.equal(up.code, EXIT.usage);
});

t.test('what is mounted within is not taken away', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const at = (name: string): string => path.join(place.mountPoint, name);
  mkdirSync(at('inner'));
  writeFileSync(at('file'), 'old');
  await done(t, 'snapshot', 'create', place.store, 'one');
  await done(t, at('inner'), '--store', place.store, '--snapshot', 'one');
  const whole = await razorfs(['rollback', place.mountPoint, 'one']);
  t.equal(whole.code, EXIT.inUse);
  t.match(whole.stderr, `mounted at ${at('inner')}`);
  writeFileSync(at('file'), 'other');
  await done(t, 'rollback', place.mountPoint, 'one', '--path', 'file');
  t.equal(readFileSync(at('file'), 'utf8'), 'old');
  await done(t, 'umount', at('inner'));
  await done(t, 'rollback', place.mountPoint, 'one');
});

t.test('a snapshot has what programs have written, wherever it still is', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const file = openSync(path.join(place.mountPoint, 'file'), 'w');
  const bytes = Buffer.alloc(LARGE, 'dirty pages ');
  writeSync(file, bytes);
  await done(t, 'snapshot', 'create', place.mountPoint, 'one');
  writeSync(file, 'later', 0);
  closeSync(file);
  t.ok(readFileSync(path.join(place.mountPoint, '.razorfs/snapshots/one/file')).equals(bytes));
});

t.test('an unmounted store', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const before = await changed(t, place);
  await place.umount();
  await done(t, 'rollback', place.store, 'main@before');
  await place.mounted();
  t.same(contents(place.mountPoint), before);
});

t.test('a restart does not wait for a snapshot that waits for it', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const file = openSync(path.join(place.mountPoint, 'file'), 'w');
  writeSync(file, Buffer.alloc(LARGE));
  const both = await Promise.all([
    razorfs(['snapshot', 'create', place.mountPoint, 'one']),
    razorfs(['restart', place.mountPoint]),
  ]);
  t.equal(both[1].code, EXIT.success, both[1].stderr);
  closeSync(file);
  t.match(await place.umount(), { code: EXIT.success });
});

/** Has a serving process die, once, after a rollback and before it tells the kernel. */
const diesUntold = (signal: string): string => `
  import { existsSync, rmSync } from 'node:fs';
  import { ServedMount } from ${JSON.stringify(path.join(import.meta.dirname, '../../src/mount/served-mount.js'))};
  const { rolledBack } = ServedMount.prototype;
  ServedMount.prototype.rolledBack = function (below) {
    if (!existsSync(${JSON.stringify(signal)})) return rolledBack.call(this, below);
    rmSync(${JSON.stringify(signal)});
    process.kill(process.pid, 'SIGKILL');
  };`;

t.test('a process that dies before the kernel knows of the rollback', async (t) => {
  const place = new Place(t);
  const at = (name: string): string => path.join(place.mountPoint, name);
  const signal = path.join(place.directory, 'die');
  await withPlanted(t, diesUntold(signal), () => place.mounted());
  const before = await changed(t, place);
  const open = openSync(at('moved/file'), 'r');
  t.notSame(contents(place.mountPoint), before, 'all is in the cache of the kernel');
  writeFileSync(signal, '');
  t.not((await razorfs(['rollback', place.mountPoint, 'before', '--no-keep'])).code, EXIT.success);
  // The next process serves, and has told the kernel.
  t.match(await done(t, 'snapshot', 'list', place.mountPoint), 'main@before');
  t.notOk(existsSync(at('new')));
  t.same(contents(place.mountPoint), before);
  t.throws(() => readSync(open, Buffer.alloc(10), 0, 10, 0), STALE);
  closeSync(open);
  // And not again: who works in the mount sees nothing of a death.
  const log = (): string => readFileSync(path.join(place.store, 'razorfs.log'), 'utf8');
  const told = log().split('telling the kernel').length;
  await killWorker(place.store);
  t.same(contents(place.mountPoint), before);
  t.equal(log().split('telling the kernel').length, told);
  t.match(await place.umount(), { code: EXIT.success });
});
