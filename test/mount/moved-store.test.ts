/**
 * A store whose directory is moved while it is mounted, and mounts that are bound to other places.
 *
 * @timeout 120
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { Place, until } from './mounting.js';
import { statusOf } from './worker-kills.js';

const LARGE = 300_000;
const isRoot = process.geteuid?.() === 0;

/** A mounted store that has been moved away, and another one that is mounted from where it was. */
async function moved(t: Test): Promise<{ place: Place; mountPoint: string; store: string }> {
  const place = new Place(t);
  await place.mounted();
  writeFileSync(path.join(place.mountPoint, 'before'), Buffer.alloc(LARGE, 1));
  const store = `${place.store}.moved`;
  renameSync(place.store, store);
  const mountPoint = path.join(place.directory, 'other');
  mkdirSync(mountPoint);
  const { code, stderr } = await razorfs([mountPoint, '--store', place.store]);
  t.equal(code, EXIT.success, stderr);
  return { place, mountPoint, store };
}

t.test('a mounted store that is moved stays apart from the one that is made in its place', async (t) => {
  const { place, mountPoint: other, store } = await moved(t);
  const [old, young] = [place.mountPoint, other].map((at) => (name: string) => path.join(at, name));
  for (const name of ['a', 'b', 'c']) writeFileSync(young(name), Buffer.alloc(LARGE, name));
  for (const name of ['a', 'b', 'c']) writeFileSync(old(name), Buffer.alloc(LARGE, 0));
  const { pid } = await statusOf(store);
  process.kill(pid, 'SIGKILL');
  writeFileSync(old('d'), Buffer.alloc(LARGE, 2));
  t.match(await statusOf(store), { restarts: 1 }, 'its process has a successor');
  t.match(await statusOf(place.store), { restarts: 0, mountPoint: other });
  const snapshot = await razorfs(['snapshot', 'create', place.mountPoint, 'wrong']);
  t.equal(snapshot.code, EXIT.notMounted, 'a command on the mount does not go to the other store');
  for (const name of ['a', 'b', 'c']) t.ok(readFileSync(young(name)).equals(Buffer.alloc(LARGE, name)));
  t.equal((await place.umount()).code, EXIT.success);
  await until(() => readFileSync(path.join(store, 'lock'), 'utf8') === '');
  t.equal((await razorfs(['umount', other])).code, EXIT.success);
  for (const one of [store, place.store]) {
    const { code, stdout } = await run(path.join(ROOT, 'razorfsck'), [one]);
    t.equal(code, 0, stdout);
  }
  t.equal((await place.mount(['--store', store])).code, EXIT.success);
  t.same(readdirSync(place.mountPoint).sort(), ['a', 'b', 'before', 'c', 'd']);
});

t.test('a command on a bind mount is about the volume that it shows', { skip: !isRoot }, async (t) => {
  const place = new Place(t);
  await place.mounted();
  const [work, bound] = ['work', 'bound'].map((name) => path.join(place.directory, name));
  for (const directory of [work, bound]) mkdirSync(directory!);
  await razorfs(['volume', 'create', place.store, 'work']);
  await razorfs([work!, '--store', place.store, '--volume', 'work']);
  t.equal((await run('mount', ['--bind', work!, bound!])).code, 0);
  const { stdout } = await razorfs(['snapshot', 'create', bound!, 'here']);
  t.match(stdout, 'work@here');
  const umount = await razorfs(['umount', bound!]);
  t.equal(umount.code, EXIT.success, umount.stderr);
  t.match(umount.stdout, 'has other mounts');
  mkdirSync(path.join(work!, 'a/b'), { recursive: true });
  t.equal((await run('mount', ['--bind', path.join(work!, 'a'), bound!])).code, 0);
  const quota = await razorfs(['quota', 'set', path.join(bound!, 'b'), '--bytes', '1M']);
  t.match(quota.stdout, '/a/b may take', 'the path in the volume');
  t.equal((await razorfs(['umount', bound!])).code, EXIT.success);
  t.ok(existsSync(work!) && (await razorfs(['umount', work!])).code === EXIT.success);
});

t.test('a snapshot has what was written to a bind mount that outlives its mount', { skip: !isRoot }, async (t) => {
  const place = new Place(t);
  await place.mounted();
  const bound = path.join(place.directory, 'bound');
  mkdirSync(bound);
  mkdirSync(path.join(place.mountPoint, 'sub'));
  t.equal((await run('mount', ['--bind', path.join(place.mountPoint, 'sub'), bound])).code, 0);
  t.equal((await run('umount', ['--lazy', place.mountPoint])).code, 0);
  const script =
    'import os, sys; os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b"not closed yet"); print(flush=True); input()';
  const writer = spawn('python3', ['-c', script, path.join(bound, 'open')], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => writer.stdout.once('data', resolve));
  t.equal((await razorfs(['snapshot', 'create', place.store, 'one'])).code, EXIT.success);
  const list = JSON.parse((await razorfs(['snapshot', 'list', place.store, '--json'])).stdout);
  t.equal(list.snapshots[0].dataBytes, 'not closed yet'.length);
  const ended = new Promise((resolve) => writer.once('close', resolve));
  writer.stdin.end('\n');
  await ended;
  t.equal((await run('umount', [bound])).code, 0);
});
