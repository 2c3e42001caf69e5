/**
 * Properties of volumes and the defaults of a store, by command and in their effect; volumes and stores that are destroyed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { ROOT, razorfs } from '../cli/program.js';
import { Place } from './mounting.js';

async function done(t: Test, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await razorfs(words);
  t.equal(code, EXIT.success, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

async function refused(t: Test, code: number, message: string | RegExp, ...words: string[]): Promise<void> {
  const ended = await razorfs(words);
  t.equal(ended.code, code, words.join(' '));
  t.match(ended.stderr, message);
}

/** A store with the volume work, not mounted. */
async function withWork(t: Test): Promise<Place> {
  const place = new Place(t);
  await done(t, 'mkfs', place.store, '--label', 'mine');
  await done(t, 'volume', 'create', place.store, 'work');
  return place;
}

t.test('properties are local, inherited, or defaults', async (t) => {
  const { store } = await withWork(t);
  const valuesOf = async (...words: string[]): Promise<unknown> =>
    JSON.parse(await done(t, 'volume', 'get', store, '--json', ...words)).properties.map(
      ({ name, value, source }: Record<string, string>) => `${name} ${value} ${source}`,
    );
  t.same(await valuesOf('--volume', 'work'), [
    'atime relatime default',
    'durability interval default',
    'quota none default',
    'inode-quota none default',
    'retention none default',
    'snapshot-interval none default',
  ]);
  await done(t, 'volume', 'set', store, '--defaults', 'atime=noatime', 'retention=last=3');
  await done(t, 'volume', 'set', store, '--volume', 'work', 'quota=10G', 'retention=daily=7,within=30d');
  t.same(await valuesOf('--volume', 'work', 'atime', 'quota', 'retention'), [
    'atime noatime inherited',
    'quota 10G local',
    'retention daily=7,within=30d local',
  ]);
  t.same(await valuesOf('atime'), ['atime noatime inherited'], 'main inherits too');
  t.same(await valuesOf('--defaults', 'atime', 'durability'), ['atime noatime local', 'durability interval default']);
  await done(t, 'volume', 'set', store, '--volume', 'work', 'retention=', 'quota=none');
  t.same(await valuesOf('--volume', 'work', 'retention', 'quota'), ['retention last=3 inherited', 'quota none local']);
  t.match(await done(t, 'volume', 'get', store), /^NAME +VALUE +SOURCE\natime +noatime +inherited\n/);

  await refused(t, EXIT.usage, 'no property "atme"', 'volume', 'set', store, 'atme=noatime');
  await refused(t, EXIT.usage, /"often" cannot be[\s\S]*15m/, 'volume', 'set', store, 'snapshot-interval=often');
  await refused(t, EXIT.usage, 'is no rule of retention', 'volume', 'set', store, 'retention=lst=3');
  await refused(t, EXIT.usage, 'of each volume alone', 'volume', 'set', store, '--defaults', 'quota=1G');
  await refused(t, EXIT.usage, 'Write NAME=VALUE', 'volume', 'set', store, 'quota');
});

t.test('atime and durability count at the next mount, unless it says otherwise', async (t) => {
  const place = await withWork(t);
  await done(t, 'volume', 'set', place.store, 'atime=strictatime', 'durability=sync');
  await place.mounted();
  t.match(await done(t, 'status', place.mountPoint), /durability +sync/);
  const file = path.join(place.mountPoint, 'file');
  writeFileSync(file, 'x');
  const { atimeMs } = statSync(file);
  await done(t, 'volume', 'set', place.mountPoint, 'durability=relaxed');
  t.match(await done(t, 'status', place.mountPoint), /durability +sync/);
  await place.umount();
  await place.mounted();
  t.match(await done(t, 'status', place.mountPoint), /durability +relaxed, commits every 30 s/);
  t.equal(statSync(file).atimeMs, atimeMs);
  await place.umount();
  await place.mounted(['--durability', 'interval', '-o', 'noatime']);
  t.match(await done(t, 'status', place.mountPoint), /durability +interval/);
});

t.test('clones, and volumes that go', async (t) => {
  const place = await withWork(t);
  const { mountPoint, store } = place;
  await place.mounted();
  writeFileSync(path.join(mountPoint, 'a'), 'shared');
  await done(t, 'snapshot', 'create', mountPoint, 'one');
  await done(t, 'snapshot', 'hold', mountPoint, 'one', 'backup');
  t.equal(await done(t, 'clone', mountPoint, 'one', 'try'), 'try is a volume, made from one\n');
  const { volumes } = JSON.parse(await done(t, 'volume', 'list', store, '--json'));
  t.match(volumes, [
    { name: 'main', mountPoint, snapshots: 1, origin: null },
    { name: 'work', mountPoint: null, inodes: 1 },
    { name: 'try', inodes: 2, dataBytes: 6, origin: 'main@one' },
  ]);
  await refused(t, EXIT.inUse, 'held (backup)', 'snapshot', 'destroy', mountPoint, 'one');
  t.equal(await done(t, 'snapshot', 'release', mountPoint, 'one', 'backup'), 'main@one is held no more\n');
  await done(t, 'snapshot', 'rename', mountPoint, 'one', 'first');
  t.same(readdirSync(path.join(mountPoint, '.razorfs/snapshots')), ['first'], 'seen at once');
  t.notOk(existsSync(path.join(mountPoint, '.razorfs/snapshots/second')));
  await done(t, 'snapshot', 'create', mountPoint, 'second');
  t.ok(existsSync(path.join(mountPoint, '.razorfs/snapshots/second')), 'where the kernel knew that there was none');
  await refused(t, EXIT.usage, 'no snapshot "third"', 'snapshot', 'destroy', mountPoint, 'second', 'third');
  t.ok(existsSync(path.join(mountPoint, '.razorfs/snapshots/second')), 'all or none');
  await done(t, 'snapshot', 'destroy', mountPoint, 'first', 'second');
  t.same(readdirSync(path.join(mountPoint, '.razorfs/snapshots')), []);
  t.equal(await done(t, 'snapshot', 'list', mountPoint), 'There are no snapshots.\n');

  await done(t, 'snapshot', 'create', store, 'try@a');
  await refused(t, EXIT.inUse, 'has snapshots: 1', 'volume', 'destroy', store, 'try');
  t.match(await done(t, 'volume', 'destroy', store, 'try', '--snapshots'), 'try is destroyed with 1 snapshot');
  await refused(t, EXIT.inUse, 'part of every store', 'volume', 'destroy', store, 'main');
  await refused(t, EXIT.usage, 'cannot be the name', 'volume', 'create', store, '../x');
  await refused(t, EXIT.inUse, 'already', 'volume', 'create', store, 'work');
});

t.test('a store is destroyed when that was meant', async (t) => {
  const place = await withWork(t);
  const { store, mountPoint } = place;
  await place.mounted();
  await refused(t, EXIT.inUse, `mounted at ${mountPoint}`, 'destroy', '--yes', mountPoint);
  await refused(t, EXIT.inUse, `mounted at ${mountPoint}`, 'destroy', '--yes', store);
  await place.umount();
  await refused(t, EXIT.failure, 'no terminal to ask on', 'destroy', store);
  t.ok(existsSync(path.join(store, 'superblock')));
  writeFileSync(path.join(store, 'thesis.txt'), 'precious');
  mkdirSync(path.join(store, 'pictures'));
  t.match(await done(t, 'destroy', '--yes', store), 'left in its directory: pictures, thesis.txt');
  t.same(readdirSync(store), ['pictures', 'thesis.txt']);
  await refused(t, EXIT.store, 'not a RazorFS store', 'destroy', '--yes', store);
  const other = path.join(place.directory, 'other');
  await done(t, 'mkfs', other);
  await done(t, 'destroy', '--yes', other);
  t.notOk(existsSync(other));
});

t.test('on a terminal, its path or label is typed', async (t) => {
  const { store } = await withWork(t);
  const typed = (words: string): Promise<string> =>
    new Promise((resolve) => {
      const command = `${process.execPath} ${path.join(ROOT, 'build/src/cli/razorfs.js')} destroy ${store}`;
      const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk;
        if (said.includes('go on: ') && !child.stdin.writableEnded) child.stdin.end(`${words}\n`);
      });
      child.on('close', () => resolve(said));
    });
  t.match(await typed('yes'), /destroys the store .*"mine" with 0 B in 2 inodes[\s\S]*Nothing was done/);
  t.ok(existsSync(path.join(store, 'superblock')));
  t.match(await typed('mine'), 'is destroyed');
  t.notOk(existsSync(store));
});
