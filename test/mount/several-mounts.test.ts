/**
 * Several volumes and snapshots of one store, mounted at several places and served by one process.
 *
 * @timeout 180
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import type { MountReport } from '../../src/mount/mount-request.js';
import { type Ended, ROOT, razorfs, run } from '../cli/program.js';
import { isRunning, Place, until } from './mounting.js';
import { withPlanted } from './planted.js';
import { CHANGES, killWorker, statusOf } from './worker-kills.js';

/** A place whose store can be mounted at more than one directory. */
class Places extends Place {
  at(name: string): string {
    return path.join(this.directory, name);
  }

  mountAt(name: string, words: readonly string[]): Promise<Ended> {
    if (!existsSync(this.at(name))) mkdirSync(this.at(name));
    return razorfs([this.at(name), '--store', this.store, '--json', ...words]);
  }

  async mountedAt(name: string, words: readonly string[]): Promise<MountReport> {
    const { code, stdout, stderr } = await this.mountAt(name, words);
    if (code !== 0) throw new Error(`not mounted: ${stdout}${stderr}`);
    return JSON.parse(stdout);
  }
}

/** A store with the volumes main and work and a snapshot of main, whose file `a` says `old`; main is mounted. */
async function places(t: Test): Promise<Places> {
  const place = new Places(t);
  await place.mounted();
  writeFileSync(path.join(place.mountPoint, 'a'), 'old');
  for (const words of [
    ['snapshot', 'create', place.mountPoint, 'before'],
    ['volume', 'create', place.store, 'work'],
  ]) {
    const { code, stderr } = await razorfs(words);
    t.equal(code, EXIT.success, stderr);
  }
  writeFileSync(path.join(place.mountPoint, 'a'), 'new');
  return place;
}

t.test('volumes and snapshots side by side, and one in another', async (t) => {
  const place = await places(t);
  const { pid } = await statusOf(place.store);
  t.match(await place.mountedAt('work', ['--volume', 'work']), {
    pid,
    dataset: 'work',
    created: false,
    readOnlyReason: '',
  });
  t.match(await place.mountedAt('before', ['--snapshot', 'before']), {
    pid,
    dataset: 'main@before',
    readOnlyReason: 'it is a snapshot',
  });
  writeFileSync(place.at('work/b'), 'work');
  t.same(readdirSync(place.at('work')), ['b']);
  t.equal(readFileSync(place.at('before/a'), 'utf8'), 'old');
  t.throws(() => writeFileSync(place.at('before/c'), ''), { code: 'EROFS' });
  mkdirSync(path.join(place.mountPoint, 'inner'));
  await place.mountedAt('mnt/inner', ['--snapshot', 'main@before']);
  t.equal(readFileSync(place.at('mnt/inner/a'), 'utf8'), 'old', 'a mount point on a mount of the same process');

  const { stdout } = await razorfs(['status', '--json', place.store]);
  t.match(
    JSON.parse(stdout).mounts.map(({ state, mount }: { state: string; mount: object }) => ({ state, mount })),
    [
      { state: 'mounted', mount: { mountPoint: place.mountPoint, dataset: 'main', readOnly: false } },
      { state: 'mounted', mount: { mountPoint: place.at('work'), dataset: 'work', dataBytes: 4 } },
      { state: 'mounted', mount: { mountPoint: place.at('before'), dataset: 'main@before', readOnly: true } },
      { state: 'mounted', mount: { mountPoint: place.at('mnt/inner'), dataset: 'main@before' } },
    ],
  );
  const all = await razorfs(['umount', place.store]);
  t.equal(all.code, EXIT.success, all.stderr);
  t.match(all.stdout, /mnt, .*work, .* are unmounted; its store .* is clean/);
  await until(() => !isRunning(pid));
});

t.test('refusals', async (t) => {
  const place = await places(t);
  const twice = await place.mountAt('again', ['--volume', 'main']);
  t.equal(twice.code, EXIT.inUse);
  t.match(JSON.parse(twice.stdout).error, {
    code: 'in-use',
    message: `mounted at ${place.mountPoint}`,
    advice: 'mount --bind',
  });
  const missing = await place.mountAt('again', ['--volume', 'wrok']);
  t.match(JSON.parse(missing.stdout).error, { code: 'no-such-volume', advice: 'main, work' });
  const noSnapshot = await place.mountAt('again', ['--snapshot', 'work@before']);
  t.match(JSON.parse(noSnapshot.stdout).error, { code: 'no-such-snapshot' });
  const option = await place.mountAt('again', ['--volume', 'work', '-o', 'frobnicate']);
  t.equal(option.code, EXIT.usage);
  const inside = await razorfs([place.store, '--store', place.store, '--volume', 'work']);
  t.equal(inside.code, EXIT.mountPoint, inside.stderr);
  const nowhere = await razorfs([place.at('again'), '--store', place.at('nothing'), '--volume', 'work']);
  t.equal(nowhere.code, EXIT.store);
  t.notOk(existsSync(place.at('nothing')), 'no store is made for a volume that it cannot have');

  await place.mountedAt('work', ['--volume', 'work']);
  const busy = await razorfs(['volume', 'destroy', place.store, 'work']);
  t.equal(busy.code, EXIT.inUse);
  t.match(busy.stderr, `mounted at ${place.at('work')}`);
  writeFileSync(place.at('work/kept'), '');
  t.equal((await razorfs(['volume', 'rename', place.store, 'work', 'play'])).code, EXIT.success);
  t.same(readdirSync(place.at('work')), ['kept'], 'renamed while it is mounted');
  t.match((await razorfs(['status', place.at('work')])).stdout, /volume +play/);
  await place.umount();
  t.match(await place.mountAt('work', ['--volume', 'main']), { code: EXIT.inUse }, 'the place is taken');
});

t.test('one end leaves the others, and the last one closes the store', async (t) => {
  const place = await places(t);
  const { pid } = await statusOf(place.store);
  await place.mountedAt('work', ['--volume', 'work', '--durability', 'sync']);
  await place.mountedAt('before', ['--snapshot', 'before']);
  const open = openSync(place.at('work/open'), 'w');
  const left = await place.umount();
  t.equal(left.code, EXIT.success, left.stderr);
  t.match(left.stdout, 'has other mounts');
  writeSync(open, 'still served');
  fsyncSync(open);
  t.equal((await run('umount', [place.at('before')])).code, 0);
  closeSync(open);
  t.match((await razorfs(['status', place.store])).stdout, /work +mounted[\s\S]*durability +sync/);
  t.match(await place.mounted(), { pid, dataset: 'main' }, 'the first comes back');
  await place.umount();
  const last = await razorfs(['umount', place.at('work')]);
  t.match(last.stdout, 'is clean');
  await until(() => !isRunning(pid));
  t.match(await place.mountedAt('work', ['--volume', 'work']), { recovery: { clean: true } }, 'without main, too');
  t.equal(readFileSync(place.at('work/open'), 'utf8'), 'still served');
});

t.test('two commands at once', async (t) => {
  const place = await places(t);
  await place.umount();
  const names = ['a', 'b', 'c', 'd'];
  const unmounted = await Promise.all(names.map((name) => razorfs(['snapshot', 'create', place.store, name])));
  t.same(
    unmounted.map(({ code }) => code),
    names.map(() => 0),
    unmounted.map(({ stderr }) => stderr).join(),
  );
  const both = await Promise.all([place.mountAt('work', ['--volume', 'work']), place.mountAt('main', [])]);
  t.same(
    both.map(({ code }) => code),
    [0, 0],
    both.map(({ stdout, stderr }) => stdout + stderr).join(),
  );
  const [work, main] = both.map(({ stdout }) => JSON.parse(stdout));
  t.equal(work.pid, main.pid);
});

t.test('a throw-away clone has what programs have written so far', async (t) => {
  const place = await places(t);
  // A process of its own, which closes nothing: the kernel hands over a file's data whenever a descriptor of it is closed.
  const script =
    'import os, sys; os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b"not closed yet"); print(flush=True); input()';
  const writer = spawn('python3', ['-c', script, place.at('mnt/open')], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => writer.stdout.once('data', resolve));
  await place.mountedAt('clone', ['--ephemeral']);
  t.equal(readFileSync(place.at('clone/open'), 'utf8'), 'not closed yet');
  const ended = new Promise((resolve) => writer.once('close', resolve));
  writer.stdin.end('\n');
  await ended;
  t.equal((await razorfs(['umount', place.store])).code, EXIT.success);
});

t.test('a volume that is being mounted is not destroyed', async (t) => {
  const place = await places(t);
  const asked = place.mountAt('work', ['--volume', 'work']);
  // Both are asked of the same process; the mount takes it some tenths of a second.
  const tries: Promise<Ended>[] = [];
  for (let i = 0; i < 6; i++) {
    tries.push(razorfs(['volume', 'destroy', place.store, 'work']));
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  const [mount, ...destroyed] = await Promise.all([asked, ...tries]);
  const codes = destroyed.map(({ code }) => code);
  if (mount.code === 0) {
    t.strictSame([...new Set(codes)], [EXIT.inUse]);
    writeFileSync(place.at('work/file'), 'kept');
  } else {
    t.ok(codes.includes(0), mount.stdout);
  }
  t.equal((await razorfs(['umount', place.store])).code, EXIT.success);
});

t.test('the worker dies under several mounts', async (t) => {
  const place = await places(t);
  await place.mountedAt('work', ['--volume', 'work']);
  await place.mountedAt('before', ['--snapshot', 'before']);
  const end = place.at('end');
  const open = [place.at('mnt/open'), place.at('work/open')].map((file) => openSync(file, 'w+'));
  const writers = ['mnt', 'work'].map((name) => run('python3', [CHANGES, place.at(`${name}/changes`), end]));
  for (let kills = 1; kills <= 3; kills++) {
    t.match(await killWorker(place.store), { restarts: kills, mounts: { length: 3 } });
    for (const fd of open) writeSync(fd, `${kills} `);
  }
  await razorfs(['restart', place.store]);
  writeFileSync(end, '');
  for (const { code, stderr } of await Promise.all(writers)) t.equal(code, 0, stderr);
  for (const fd of open) {
    fsyncSync(fd);
    closeSync(fd);
  }
  for (const name of ['mnt', 'work']) t.equal(readFileSync(place.at(`${name}/open`), 'utf8'), '1 2 3 ');
  t.equal(readFileSync(place.at('before/a'), 'utf8'), 'old');
  const umount = await razorfs(['umount', place.store]);
  t.equal(umount.code, EXIT.success, umount.stderr);
  const check = await run(path.join(ROOT, 'razorfsck'), [place.store]);
  t.equal(check.code, 0, check.stdout);
});

t.test('a mount that ended gives its number to no other: requests are told apart by it', async (t) => {
  const place = await places(t);
  for (const name of ['one', 'two']) {
    await place.mountedAt(name, ['--volume', 'work']);
    await razorfs(['umount', place.at(name)]);
    await killWorker(place.store);
  }
  const log = readFileSync(path.join(place.store, 'razorfs.log'), 'utf8').trimEnd().split('\n');
  const mounted: { readonly msg: string; readonly id: number }[] = log.map((line) => JSON.parse(line));
  t.same(
    mounted.filter(({ msg }) => msg === 'mounted').map(({ id }) => id),
    [0, 1, 2],
  );
  t.equal((await razorfs(['umount', place.store])).code, EXIT.success);
});

t.test('a signal ends all mounts', async (t) => {
  const place = new Places(t);
  mkdirSync(place.at('work'));
  await razorfs(['mkfs', place.store]);
  await razorfs(['volume', 'create', place.store, 'work']);
  const words = [path.join(ROOT, 'build/src/cli/razorfs.js'), '-f', place.mountPoint, '--store', place.store];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await place.mountedAt('work', ['--volume', 'work']);
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  t.equal(await ended, EXIT.success);
  t.match(JSON.parse((await razorfs(['status', '--json', place.store])).stdout), {
    mounts: [{ state: 'not-mounted', idle: { clean: true } }],
  });
});

/** Has the program that mounts beside others wait, once it has begun, until a file is there. */
const slowAttach = (begun: string, go: string): string => `
  import { existsSync, writeFileSync } from 'node:fs';
  if (process.argv[1]?.endsWith('/attach.js')) {
    writeFileSync(${JSON.stringify(begun)}, '');
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    while (!existsSync(${JSON.stringify(go)})) Atomics.wait(nothing, 0, 0, 10);
  }`;

t.test('what is being mounted cannot be destroyed', async (t) => {
  const [begun, go] = ['begun', 'go'].map((name) => path.join(t.testdir({}), name)) as [string, string];
  const place = await withPlanted(t, slowAttach(begun, go), () => places(t));
  const mounting = place.mountAt('work', ['--volume', 'work']);
  await until(() => existsSync(begun));
  const refused = await razorfs(['volume', 'destroy', place.store, 'work']);
  writeFileSync(go, '');
  t.equal(refused.code, EXIT.inUse, refused.stdout);
  t.match(refused.stderr, `The volume "work" is mounted at ${place.at('work')}`);
  t.equal((await mounting).code, EXIT.success);
  writeFileSync(place.at('work/file'), 'is there');
  t.equal((await razorfs(['umount', place.at('work')])).code, EXIT.success);
  t.equal((await razorfs(['volume', 'destroy', place.store, 'work'])).code, EXIT.success);
});
