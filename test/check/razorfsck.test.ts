/** The program `razorfsck`: what it prints, how it exits, what it refuses, and stores that were not unmounted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { StoreLock } from '../../src/store/lock.js';
import { asIno } from '../../src/store/units.js';
import { Store } from '../../src/volume/store.js';
import { type Ended, ROOT, run } from '../cli/program.js';
import { changeSuperblock, flip, overwrite } from './damage.js';
import { contentsOfStore, copyStore, makeStore, SEGMENT_BYTES, temporaryDirectory } from './store-fixture.js';

const razorfsck = (...words: string[]): Promise<Ended> =>
  run(process.execPath, [path.join(ROOT, 'build/src/cli/razorfsck.js'), ...words]);

const WRITER = path.join(ROOT, 'build/test/check/writer.js');

t.setTimeout(300_000);
const store = await makeStore(t, 200);

function damaged(test: Test): string {
  const directory = copyStore(test, store);
  changeSuperblock(directory, { inodes: 3 });
  return directory;
}

/** Every file of a directory with its bytes, but for the lock. */
const bytesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile() && entry.name !== 'lock')
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${file} ${readFileSync(file).toString('latin1')}`);

t.test('a store in order ends with OK', async (t) => {
  const directory = copyStore(t, store);
  const before = bytesOf(directory);
  const { code, stdout, stderr } = await razorfsck(directory);
  t.match(stdout, /files and directories.*\nOK\n$/);
  t.equal(stderr, '');
  t.equal(code, 0);
  t.ok(JSON.stringify(bytesOf(directory)) === JSON.stringify(before), 'nothing was written');
});

t.test('errors are counted and leave everything as it is', async (t) => {
  const directory = damaged(t);
  const before = bytesOf(directory);
  const { code, stdout } = await razorfsck(directory);
  t.match(stdout, /^error: superblock: counts 3 inodes, there are \d+\n/);
  t.match(stdout, /razorfsck --repair/);
  t.match(stdout, /\n1 error\n$/);
  t.equal(code, 4);
  t.ok(JSON.stringify(bytesOf(directory)) === JSON.stringify(before), 'nothing was written');
});

t.test('a repair says what it will do, asks, and does it', async (t) => {
  const directory = damaged(t);
  const before = bytesOf(directory);
  const refused = await razorfsck('--repair', directory);
  t.match(refused.stdout, /The repair will\n {2}- correct the totals/);
  t.match(refused.stderr, /no terminal to ask on.\n {2}Add --yes/);
  t.equal(refused.code, 8);
  t.ok(JSON.stringify(bytesOf(directory)) === JSON.stringify(before), 'nothing was written');
  const repaired = await razorfsck('--repair', '--yes', directory);
  t.match(repaired.stdout, /Repaired.*\n.*\nOK\n$/);
  t.equal(repaired.code, 1);
  t.equal((await razorfsck(directory)).code, 0);
  t.equal((await razorfsck('--repair', directory)).code, 0, 'a store in order needs no answer');
});

t.test('with --json every line is an object', async (t) => {
  const { code, stdout, stderr } = await razorfsck('--json', damaged(t));
  const objects = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(objects[0], { type: 'finding', severity: 'error', code: 'counter', where: 'superblock' });
  t.match(objects.at(-1), { type: 'summary', errors: 1, label: 'fixture', clean: true, exitCode: 4 });
  t.equal(stderr, '');
  t.equal(code, 4);
  const failure = await razorfsck('--json', temporaryDirectory(t));
  t.match(JSON.parse(failure.stdout), { type: 'failure', code: 'not-a-store' });
});

t.test('with --quiet only errors are printed', async (t) => {
  t.equal((await razorfsck('--quiet', copyStore(t, store))).stdout, '');
  t.match((await razorfsck('--quiet', damaged(t))).stdout, /^error: .*\n1 error\n$/);
});

t.test('findings name paths', async (t) => {
  const directory = copyStore(t, store);
  rmSync(path.join(directory, 'blobs'), { recursive: true });
  mkdirSync(path.join(directory, 'blobs'));
  t.match((await razorfsck(directory)).stdout, /error: inode \d+ \(\/directory 0\/file 1\): its blob .* is missing/);
});

t.test('what is not a store, or in use, is refused', async (t) => {
  t.equal((await razorfsck()).code, 16);
  t.equal((await razorfsck('--nonsense', store)).code, 16);
  t.equal((await razorfsck('--yes', store)).code, 16);
  t.equal((await razorfsck('--help')).code, 0);
  const missing = await razorfsck('/nowhere/at/all');
  t.match(missing.stderr, /razorfsck: \/nowhere\/at\/all does not exist/);
  t.equal(missing.code, 8);
  const other = temporaryDirectory(t);
  writeFileSync(path.join(other, 'letter'), 'dear');
  t.equal((await razorfsck('--repair', '--yes', other)).code, 8);
  t.strictSame(readdirSync(other), ['letter']);

  const directory = copyStore(t, store);
  const lock = StoreLock.acquire(directory, 'razorfs', '/mnt/point');
  t.teardown(() => lock.release());
  const inUse = await razorfsck(directory);
  t.match(inUse.stderr, /is in use: mounted at \/mnt\/point by process \d+/);
  t.match(inUse.stderr, /Unmount it with `razorfs umount \/mnt\/point`/);
  t.equal(inUse.code, 8);
});

t.test('a store without a superblock that can be used cannot be repaired', async (t) => {
  const directory = copyStore(t, store);
  overwrite(path.join(directory, 'superblock'), 100, Buffer.from('damage'));
  overwrite(path.join(directory, 'superblock'), PAGE_SIZE + 100, Buffer.from('damage'));
  const { code, stderr } = await razorfsck('--repair', '--yes', directory);
  t.match(stderr, /both superblocks are unusable/);
  t.match(stderr, /restore the store from a backup/);
  t.equal(code, 4);
});

// ── Stores that were not unmounted ─────────────────────────────────────────────────────────────────────────────────────

/** A store whose process was killed in the middle of work. */
async function killed(t: Test): Promise<string> {
  const directory = temporaryDirectory(t);
  const geometry = {
    nodesSegmentBytes: SEGMENT_BYTES,
    arenaSegmentBytes: SEGMENT_BYTES,
    logSegmentBytes: SEGMENT_BYTES,
  };
  await Store.create(new HostDisk(directory), { label: '', now: 0, owner: { uid: 0, gid: 0 }, geometry });
  const child = spawn(process.execPath, [WRITER, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  return directory;
}

t.test('after a kill it says what waits, and everything else is in order', async (t) => {
  const directory = await killed(t);
  const { code, stdout } = await razorfsck(directory);
  t.match(stdout, /^note: log: \d{3,} operations wait to be replayed by the next mount/);
  t.match(stdout, /\nOK\n$/);
  t.equal(code, 0);
  t.ok((await contentsOfStore(directory)).size > 200, 'the next mount replays them');
  t.match((await razorfsck(directory)).stdout, /^[^\n]*\nOK\n$/);
});

t.test('a store whose log waits is repaired only when that is given up', async (t) => {
  const directory = await killed(t);
  changeSuperblock(directory, { nextIno: asIno(2), inodes: 77 });
  const refused = await razorfsck('--repair', '--yes', directory);
  t.match(refused.stderr, /is not repaired: \d+ operations wait in its log/);
  t.match(refused.stderr, /Mount and unmount it/);
  t.equal(refused.code, 8);
  const repaired = await razorfsck('--repair', '--yes', '--discard-log', directory);
  t.match(repaired.stdout, /give up the \d+ operations in the log/);
  t.equal(repaired.code, 1);
  const [backup] = readdirSync(directory).filter((name) => name.startsWith('repair-backup-'));
  t.ok(readdirSync(path.join(directory, backup, 'wal')).length > 0, 'the log is kept aside');
  t.equal((await razorfsck(directory)).code, 0);
});

t.test('damage in the middle of a log that waits is found', async (t) => {
  const directory = await killed(t);
  const file = readdirSync(path.join(directory, 'wal')).sort()[0];
  flip(path.join(directory, 'wal', file), 4096 + 1000);
  const { code, stdout } = await razorfsck(directory);
  t.match(
    stdout,
    /error: log record \d+: damaged or missing, but there are more after it; the operations from there on are lost/,
  );
  t.equal(code, 4);
  const repaired = await razorfsck('--repair', '--yes', directory);
  t.match(repaired.stdout, /cut the log off after \d+ operations, which the next mount applies/);
  t.match(repaired.stdout, /Repaired. Checking again.\nnote: log: \d+ operations wait.*\nOK\n$/s);
  t.equal(repaired.code, 1);
});
