/**
 * The serving process dies, in every way, and the mount goes on: programs see a pause and nothing else.
 *
 * @timeout 240
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  opendirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { DeathWatch } from '../../src/mount/death-watch.js';
import type { MountRequest } from '../../src/mount/mount-request.js';
import { restart } from '../../src/mount/restart.js';
import { Supervisor } from '../../src/mount/supervisor.js';
import { survey } from '../../src/mount/survey.js';
import { unmount } from '../../src/mount/unmount.js';
import type { Durability } from '../../src/volume/options.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { isRunning, Place, until } from './mounting.js';
import { withPlanted } from './planted.js';
import { CHANGES, killWorker as kill, statusOf } from './worker-kills.js';

/** Kills of the serving process under load. */
const KILLS = 16;
const WRITERS = 3;
const RAZORFSCK = path.join(ROOT, 'razorfsck');

t.test('what is open stays open', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const at = (name: string): string => path.join(place.mountPoint, name);
  writeFileSync(at('named'), 'one ');
  const named = openSync(at('named'), 'a+');
  const unlinked = openSync(at('unlinked'), 'w+');
  writeSync(unlinked, 'without a name');
  rmSync(at('unlinked'));
  writeFileSync(at('gone'), '');
  rmSync(at('gone'));
  mkdirSync(at('listed'));
  for (let index = 0; index < 2000; index++) {
    writeFileSync(at(`listed/${index}`), '');
  }
  const listing = opendirSync(at('listed'), { bufferSize: 16 });
  const seen = [listing.readSync()?.name];
  const locker = spawn('flock', [at('named'), '-c', 'echo locked; read line; echo done'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => locker.stdout.once('data', resolve));

  const status = await kill(place.store);
  t.match(status, { restarts: 1, lastDeath: 'SIGKILL' });
  t.equal(status.volume.recovery.clean, false, 'the store was recovered');

  writeSync(named, 'two');
  fsyncSync(named);
  t.equal(readFileSync(at('named'), 'utf8'), 'one two', 'an open file goes on where it was');
  const bytes = Buffer.alloc(100);
  t.equal(bytes.toString('utf8', 0, readSync(unlinked, bytes, 0, 100, 0)), 'without a name');
  t.equal(fstatSync(unlinked).nlink, 0);
  for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) {
    seen.push(entry.name);
  }
  listing.closeSync();
  t.equal(new Set(seen).size, 2000, 'the listing goes on');
  t.equal(seen.length, 2000, 'and names nothing twice');
  const refused = await run('flock', ['-n', at('named'), 'true']);
  t.equal(refused.code, 1, 'the lock still holds');
  locker.stdin.end('\n');
  await new Promise((resolve) => locker.once('close', resolve));
  t.equal((await run('flock', ['-n', at('named'), 'true'])).code, 0, 'until it is given up');
  // The inode without a name that is open stays; the one that was gone is found to be so.
  while ((await statusOf(place.store)).volume.inodes !== 2004) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  closeSync(named);
  closeSync(unlinked);
  t.match(await place.umount(), { code: EXIT.success });
  t.match(await run(RAZORFSCK, [place.store]), { code: 0 });
});

/** What came of kills under load. */
interface Outcome {
  /** What the writers had to complain about; empty for nothing. */
  readonly complaints: readonly string[];
  readonly rounds: number;
  readonly longestSeconds: number;
}

/** Has writers work while the worker is killed again and again, until a writer fails or `kills` have been. */
async function killUnderLoad(t: Test, durability: Durability, kills: number): Promise<Outcome> {
  const place = new Place(t);
  const request: MountRequest = {
    mountPoint: place.mountPoint,
    store: place.store,
    label: '',
    dataset: 'main',
    durability,
    commitIntervalMs: 1000,
    readOnly: false,
    options: '',
    transport: 'kernel',
  };
  const supervisor = new Supervisor(request, undefined, new DeathWatch(Number.POSITIVE_INFINITY));
  await supervisor.start();
  t.teardown(() => supervisor.signal('SIGTERM'));
  const end = path.join(place.directory, 'end');
  let failed = false;
  const writers = Array.from({ length: WRITERS }, async (_, index) => {
    const writer = await run('python3', [CHANGES, path.join(place.mountPoint, `writer ${index}`), end]);
    failed ||= writer.code !== 0;
    return writer;
  });
  for (let killed = 0; killed < kills && !failed; killed++) {
    await kill(place.store);
  }
  writeFileSync(end, '');
  const results = await Promise.all(writers);
  if (!failed) {
    t.match(await statusOf(place.store), { restarts: kills });
  }
  supervisor.signal('SIGTERM');
  t.same(await supervisor.ended, { outcome: 'clean' });
  const check = await run(RAZORFSCK, [place.store]);
  t.equal(check.code, 0, check.stdout);
  const figures = results.filter(({ code }) => code === 0).map(({ stdout }) => stdout.split(' ').map(Number));
  return {
    complaints: results.filter(({ code }) => code !== 0).map(({ stderr }) => stderr.trim().split('\n').pop() ?? ''),
    rounds: figures.reduce((total, [rounds]) => total + rounds!, 0),
    longestSeconds: Math.max(0, ...figures.map(([, longest]) => longest!)),
  };
}

for (const durability of ['interval', 'sync'] as const) {
  t.test(`kills under load, with durability ${durability}`, async (t) => {
    const { complaints, rounds, longestSeconds } = await killUnderLoad(t, durability, KILLS);
    t.same(complaints, [], 'no system call of a program failed');
    t.ok(rounds > 0, `${rounds} rounds of changes, the longest took ${longestSeconds.toFixed(3)} s`);
  });
}

t.test('planted bug: a request that is sent again is applied again', async (t) => {
  const filesystem = path.join(import.meta.dirname, '../../src/filesystem/filesystem.js');
  const source = `import { FileSystem } from ${JSON.stringify(filesystem)}; FileSystem.prototype.wasApplied = () => false;`;
  const startedMs = performance.now();
  const { complaints } = await withPlanted(t, source, () => killUnderLoad(t, 'sync', 100));
  t.not(complaints.length, 0, `found after ${((performance.now() - startedMs) / 1000).toFixed(1)} s: ${complaints[0]}`);
});

t.test('a kernel that cannot send requests again: those under way fail, the mount goes on', async (t) => {
  const source = `import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module';
    os.release = () => '6.1.0'; syncBuiltinESMExports();`;
  await withPlanted(t, source, async () => {
    const place = new Place(t);
    await place.mounted(['--durability', 'sync']);
    const end = path.join(place.directory, 'end');
    const writer = run('python3', [CHANGES, path.join(place.mountPoint, 'writer'), end]);
    for (let killed = 0; killed < 4; killed++) {
      await kill(place.store);
      writeFileSync(path.join(place.mountPoint, `after ${killed}`), 'yes');
    }
    writeFileSync(end, '');
    const { code, stderr } = await writer;
    // Of data that goes through its cache, the kernel tells EIO whatever the reason.
    t.ok(
      code === 0 || /Errno 103|file\.(read|write).*Errno 5\b/s.test(stderr),
      `the writer ended with: ${stderr.split('\n').at(-2) ?? code}`,
    );
    t.equal(readFileSync(path.join(place.mountPoint, 'after 3'), 'utf8'), 'yes');
    t.match(await place.umount(), { code: EXIT.success });
  });
});

t.test('restart puts a new process in place', async (t) => {
  const place = new Place(t);
  const { pid } = await place.mounted();
  const file = openSync(path.join(place.mountPoint, 'open'), 'w+');
  writeSync(file, 'before ');
  const { code, stdout } = await razorfs(['restart', '--json', place.mountPoint]);
  t.equal(code, EXIT.success);
  t.not(JSON.parse(stdout).pid, pid);
  t.match(await statusOf(place.store), { restarts: 0, lastDeath: '' }, 'a restart is no death');
  t.match((await razorfs(['status', place.mountPoint])).stdout, /recovery +none was needed/, 'nor a crash');
  writeSync(file, 'after');
  closeSync(file);
  t.equal(readFileSync(path.join(place.mountPoint, 'open'), 'utf8'), 'before after');
  t.match(await place.umount(), { code: EXIT.success });
  t.equal((await razorfs(['restart', place.mountPoint])).code, EXIT.notMounted);
});

t.test('a restart is refused when nobody would start the next process', async (t) => {
  const place = new Place(t);
  const { pid } = await place.mounted();
  const { supervisorPid } = await statusOf(place.store);
  process.kill(supervisorPid, 'SIGKILL');
  await until(() => !isRunning(supervisorPid));
  const { code, stdout } = await razorfs(['restart', '--json', place.mountPoint]);
  t.equal(code, EXIT.failure);
  t.match(JSON.parse(stdout).error, { code: 'not-restartable' });
  writeFileSync(path.join(place.mountPoint, 'file'), 'still served');
  t.match(await statusOf(place.store), { pid });
  t.match(await place.umount(), { code: EXIT.success });
});

t.test('a command that meets no serving process waits for the next one', async (t) => {
  const place = new Place(t);
  await place.mounted();
  for (const command of [
    async () => t.match(await survey(place.mountPoint), [{ state: 'mounted' }]),
    async () => t.match(await restart(place.mountPoint), { mountPoint: place.mountPoint }),
    async () => t.match(await unmount(place.mountPoint, false), { outcome: 'clean' }),
  ]) {
    const { pid, supervisorPid } = await statusOf(place.store);
    process.kill(supervisorPid, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    await until(() => !isRunning(pid));
    const done = command();
    process.kill(supervisorPid, 'SIGCONT');
    await done;
  }
  t.match(await run(RAZORFSCK, [place.store]), { code: EXIT.success });
});

t.test('deaths without end are the end of the mount', async (t) => {
  const place = new Place(t);
  await place.mounted();
  writeFileSync(path.join(place.mountPoint, 'kept'), 'kept');
  for (let deaths = 1; deaths < 5; deaths++) {
    await kill(place.store);
  }
  const { pid } = await statusOf(place.store);
  process.kill(pid, 'SIGKILL');
  while (!/died 5 times/.test(readFileSync(path.join(place.store, 'razorfs.log'), 'utf8'))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  while (existsSync(path.join(place.mountPoint, 'kept'))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.match(await razorfs(['status', place.store]), { code: EXIT.notMounted, stdout: /the next mount recovers it/ });
  t.match(await place.mount(), { code: EXIT.success, stdout: /Recovered from a crash/ });
  t.equal(readFileSync(path.join(place.mountPoint, 'kept'), 'utf8'), 'kept');
});
