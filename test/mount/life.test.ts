/**
 * The life of real mounts: made, used, asked, ended in every way, and killed.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import type { MountState } from '../../src/mount/survey.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { isRunning, killDaemon, Place, until } from './mounting.js';

async function stateOf(target: string): Promise<MountState> {
  const { stdout } = await razorfs(['status', '--json', target]);
  return JSON.parse(stdout).mounts[0];
}

t.test('mount, use, unmount, mount again', async (t) => {
  const place = new Place(t);
  const first = await place.mount();
  t.equal(first.code, EXIT.success, first.stderr);
  t.equal(first.stdout, `${place.mountPoint} is mounted; its new store is ${place.store}\n`);
  writeFileSync(path.join(place.mountPoint, 'a'), 'hello');
  const state = await stateOf(place.mountPoint);
  t.match(state, { state: 'mounted', store: place.store, status: { volatile: null, volume: { inodes: 2 } } });
  t.match(
    await stateOf(place.store),
    { state: 'mounted', mountPoint: place.mountPoint },
    'the store leads to its mount',
  );
  const umount = await place.umount();
  t.equal(umount.code, EXIT.success, umount.stderr);
  t.equal(umount.stdout, `${place.mountPoint} is unmounted; its store ${place.store} is clean\n`);
  t.same(readdirSync(place.mountPoint), []);
  t.notOk(existsSync(path.join(place.store, 'control.sock')));

  const second = await place.mount();
  t.equal(second.stdout, `${place.mountPoint} is mounted; its store is ${place.store}\n`, 'nothing was recovered');
  t.equal(readFileSync(path.join(place.mountPoint, 'a'), 'utf8'), 'hello');
  await place.umount();
  const idle = await razorfs(['status', '--json', place.store]);
  t.equal(idle.code, EXIT.notMounted);
  t.match(JSON.parse(idle.stdout), {
    mounts: [{ state: 'not-mounted', idle: { clean: true, inodes: 2, dataBytes: 5, mountCount: 2, holder: null } }],
  });
  t.match((await razorfs(['status', place.store])).stdout, /not mounted[\s\S]*state +clean[\s\S]*to mount it/);
});

t.test('status without words lists every mount', async (t) => {
  const place = new Place(t);
  await place.mounted(['--label', 'mine', '--durability', 'relaxed', '--commit-interval', '7s']);
  const { stdout } = await razorfs(['status']);
  t.match(stdout, `${place.mountPoint}  mounted`);
  t.match(stdout, `${place.store} "mine"`);
  t.match(stdout, 'relaxed, commits every 7 s');
});

t.test('a killed daemon leaves a dead mount, which umount clears and mount recovers', async (t) => {
  const place = new Place(t);
  const { pid } = await place.mounted();
  mkdirSync(path.join(place.mountPoint, 'kept'));
  await killDaemon(pid);
  t.match(await stateOf(place.mountPoint), { state: 'dead' });
  const refused = await place.mount();
  t.equal(refused.code, EXIT.mountPoint);
  t.match(refused.stderr, `razorfs umount ${place.mountPoint}`);
  t.match((await razorfs(['status', place.store])).stdout, 'DEAD');
  const cleared = await place.umount();
  t.equal(cleared.code, EXIT.success, cleared.stderr);
  t.match(cleared.stdout, 'was a dead mount and is cleared');
  t.match(await stateOf(place.store), { state: 'not-mounted', idle: { clean: false } });
  const again = await place.mount();
  t.match(again.stdout, /^Recovered from a crash: 1 operation replayed, 0 orphans reclaimed, in \d+ ms\n/);
  t.same(readdirSync(place.mountPoint), ['kept']);
});

t.test('a mount in use is not unmounted, and its users are named', async (t) => {
  const place = new Place(t);
  const { pid } = await place.mounted();
  const fd = openSync(path.join(place.mountPoint, 'open'), 'w');
  const refused = await place.umount();
  t.equal(refused.code, EXIT.inUse);
  t.match(refused.stderr, `node (pid ${process.pid}) uses ${place.mountPoint}/open`);
  t.match(refused.stderr, `umount --lazy ${place.mountPoint}`);

  const lazy = await place.umount(['--lazy']);
  t.equal(lazy.code, EXIT.success, lazy.stderr);
  t.match(await stateOf(place.store), { state: 'detached', mountPoint: place.mountPoint });
  writeSync(fd, 'still works');
  closeSync(fd);
  await until(() => !isRunning(pid));
  await place.mounted();
  t.equal(readFileSync(path.join(place.mountPoint, 'open'), 'utf8'), 'still works');
});

t.test('the daemon ends cleanly on umount(8), fusermount3 and SIGTERM', async (t) => {
  const place = new Place(t);
  const ways = [
    () => run('umount', [place.mountPoint]),
    () => run('fusermount3', ['-u', place.mountPoint]),
    async (pid: number) => process.kill(pid, 'SIGTERM'),
    async (pid: number) => process.kill(pid, 'SIGINT'),
  ];
  for (const [number, end] of ways.entries()) {
    const { pid, recovery } = await place.mounted();
    t.ok(recovery.clean, `before way ${number}`);
    writeFileSync(path.join(place.mountPoint, `file-${number}`), 'x'.repeat(100_000));
    await end(pid);
    await until(() => !isRunning(pid));
    t.same(readdirSync(place.mountPoint), [], `unmounted by way ${number}`);
  }
  const { recovery } = await place.mounted();
  t.ok(recovery.clean);
  t.equal(readFileSync(path.join(place.mountPoint, 'file-3'), 'utf8').length, 100_000);
});

t.test('in the foreground it logs to the terminal and ends with Ctrl-C', async (t) => {
  const place = new Place(t);
  const words = [path.join(ROOT, 'build/src/cli/razorfs.js'), '-f', place.mountPoint, '--store', place.store];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  await until(() => stdout.includes('is mounted'));
  writeFileSync(path.join(place.mountPoint, 'a'), '');
  child.kill('SIGINT');
  t.equal(await ended, EXIT.success);
  t.match(stderr, /^\d\d:\d\d:\d\d unmounting \(reason SIGINT\)$/m);
  t.same(readdirSync(place.mountPoint), []);
});

t.test('an unmount that waits for the last checkpoint leaves nothing to recover under load', async (t) => {
  const place = new Place(t);
  await place.mounted();
  for (let number = 0; number < 500; number++) {
    writeFileSync(path.join(place.mountPoint, `file-${number}`), `content ${number}`);
  }
  t.equal((await place.umount()).code, EXIT.success);
  const { recovery } = await place.mounted();
  t.ok(recovery.clean);
  t.equal(readdirSync(place.mountPoint).length, 500);
});
