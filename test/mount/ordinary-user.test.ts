/**
 * Everything as a user who is not root, through fusermount3. Run as root, it becomes `nobody`, and opens /dev/fuse up to
 * all users for that time where it is not (udev usually does).
 */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { mountAt } from '../../src/mount/mount-table.js';
import { type RunOptions, razorfs, run } from '../cli/program.js';
import { isRunning, killDaemon, Place, until } from './mounting.js';

const NOBODY = 65534;
const DEVICE = '/dev/fuse';
const RIGHTS_FOR_ALL = 0o666;

const canBecomeUser = process.getuid?.() === 0 && existsSync(DEVICE) && existsSync('/usr/bin/fusermount3');

t.test('as an ordinary user', { skip: canBecomeUser ? false : 'needs root, /dev/fuse and fusermount3' }, async (t) => {
  const rights = statSync(DEVICE).mode & 0o777;
  if (rights !== RIGHTS_FOR_ALL) {
    t.comment(`${DEVICE} has mode ${rights.toString(8)}: opened up to all users for this test`);
    chmodSync(DEVICE, RIGHTS_FOR_ALL);
    t.teardown(() => chmodSync(DEVICE, rights));
  }

  /** A place that belongs to the user, and how the user runs commands there. */
  function userPlace(t: ConstructorParameters<typeof Place>[0]): [Place, RunOptions] {
    const place = new Place(t);
    for (const directory of [place.directory, place.mountPoint]) {
      chownSync(directory, NOBODY, NOBODY);
    }
    const env = { PATH: process.env.PATH, HOME: place.directory };
    return [place, { uid: NOBODY, gid: NOBODY, cwd: '/', env }];
  }

  await t.test('mounts, uses and unmounts', async (t) => {
    const [place, user] = userPlace(t);
    const { pid } = await place.mounted([], user);
    t.equal(statSync(place.store).uid, NOBODY);
    t.equal((await run('touch', [path.join(place.mountPoint, 'mine')], user)).code, 0);
    const listing = await run('stat', ['-c', '%u %n', path.join(place.mountPoint, 'mine')], user);
    t.match(listing.stdout, /^65534 /);
    t.throws(() => readdirSync(place.mountPoint), { code: 'EACCES' }, 'not even root enters without allow_other');
    t.match((await razorfs(['status', place.mountPoint], user)).stdout, `${place.mountPoint}  mounted`);
    const { code, stderr } = await place.umount([], user);
    t.equal(code, EXIT.success, stderr);
    await until(() => !isRunning(pid));
    const again = await place.mounted([], user);
    t.ok(again.recovery.clean);
    process.kill(again.pid, 'SIGKILL');
    t.equal((await run('touch', [path.join(place.mountPoint, 'later')], user)).code, 0, 'it outlives its process');
    const { stdout } = await razorfs(['status', '--json', place.mountPoint], user);
    const worker: number = JSON.parse(stdout).mounts[0].status.pid;
    process.kill(worker, 'SIGTERM');
    await until(() => !isRunning(worker));
    t.equal(mountAt(place.mountPoint), undefined, 'the daemon unmounts itself');
  });

  await t.test('the default store is in the home directory', async (t) => {
    const [place, user] = userPlace(t);
    const { code, stderr, stdout } = await razorfs([place.mountPoint], user);
    t.equal(code, EXIT.success, stderr);
    t.match(stdout, `${place.directory}/.local/state/razorfs`);
    t.equal(statSync(path.join(place.directory, '.local/state/razorfs')).mode & 0o777, 0o700);
    t.equal((await place.umount([], user)).code, EXIT.success);
  });

  await t.test('a dead mount is cleared', async (t) => {
    const [place, user] = userPlace(t);
    const { pid } = await place.mounted([], user);
    await killDaemon(pid);
    t.match((await razorfs(['status', place.mountPoint], user)).stdout, 'DEAD');
    t.match((await place.umount([], user)).stdout, 'is cleared');
  });

  await t.test("another user's store and mount are refused", async (t) => {
    const place = new Place(t);
    chmodSync(place.directory, 0o755);
    mkdirSync(path.join(place.directory, 'elsewhere'));
    chownSync(path.join(place.directory, 'elsewhere'), NOBODY, NOBODY);
    await place.mounted();
    const user = { uid: NOBODY, gid: NOBODY, cwd: '/' };
    const mount = await razorfs([path.join(place.directory, 'elsewhere'), '--store', place.store], user);
    t.equal(mount.code, EXIT.permission, mount.stderr);
    const umount = await place.umount([], user);
    t.equal(umount.code, EXIT.permission, umount.stderr);
    const status = await razorfs(['status', place.mountPoint], user);
    t.equal(status.code, EXIT.success);
    t.match(status.stdout, 'belongs to another user');
  });

  await t.test('a device that users may not open is named', async (t) => {
    const [place, user] = userPlace(t);
    chmodSync(DEVICE, 0o600);
    const { code, stderr } = await place.mount([], user);
    chmodSync(DEVICE, RIGHTS_FOR_ALL);
    t.equal(code, EXIT.permission);
    t.match(stderr, /\/dev\/fuse may not be opened[\s\S]*chmod/);
  });

  await t.test('without fusermount3 the command says how to get it', async (t) => {
    const [place, user] = userPlace(t);
    const { code, stderr } = await place.mount([], { ...user, env: { PATH: '/nonexistent', HOME: place.directory } });
    t.equal(code, EXIT.fuse);
    t.match(stderr, /fusermount3 is not installed[\s\S]*apt install fuse3/);
  });
});
