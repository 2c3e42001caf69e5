/**
 * Real work by a user who is not root, on a mount of the user's own through fusermount3, and by several users on a mount of
 * root's. (test/mount/ordinary-user.test.ts has the commands and their refusals.) Run as root, it becomes `nobody`, and opens
 * /dev/fuse up to all users for that time where it is not: udev usually does, machines without it do not.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import t from 'tap';
import { mountAt } from '../../src/mount/mount-table.js';
import { type Ended, type RunOptions, run } from '../cli/program.js';
import { isInstalled, MountedStore } from './mounted-store.js';

const NOBODY = 65534;
const STRANGER = 1234;
const DEVICE = '/dev/fuse';
const RIGHTS_FOR_ALL = 0o666;
const TIMEOUT_MS = 60_000;

const skip =
  process.getuid?.() === 0 && existsSync(DEVICE) && isInstalled('fusermount3')
    ? false
    : 'needs root, /dev/fuse and fusermount3';

const as = (user: number, home = '/'): RunOptions => ({
  uid: user,
  gid: user,
  cwd: '/',
  env: { PATH: process.env.PATH, HOME: home, LC_ALL: 'C' },
});

const shell = (script: string, options: RunOptions): Promise<Ended> => run('/bin/sh', ['-ec', script], options);

t.setTimeout(TIMEOUT_MS);

t.test('a user works on a mount of their own', { skip }, async (t) => {
  const rights = statSync(DEVICE).mode & 0o777;
  chmodSync(DEVICE, RIGHTS_FOR_ALL);
  t.teardown(() => chmodSync(DEVICE, rights));
  const mounted = new MountedStore(t);
  const user = as(NOBODY, mounted.directory);
  for (const directory of [mounted.directory, mounted.mountPoint]) {
    chownSync(directory, NOBODY, NOBODY);
  }
  chmodSync(mounted.directory, 0o755);
  await mounted.mounted([], user);
  t.match(mountAt(mounted.mountPoint), { type: 'fuse.razorfs' });

  const work = `
    cd "${mounted.mountPoint}"
    git init -q project
    cd project
    echo one >file; mkdir sub; ln file sub/link; ln -s ../file sub/symlink; mkfifo fifo
    git -c user.name=N -c user.email=n@example.org add file sub/link sub/symlink
    git -c user.name=N -c user.email=n@example.org commit -q -m first
    git fsck --strict
    chmod 4755 file
    tar -cf - . | (mkdir ../copy && tar -xf - -C ../copy)
    diff -r --no-dereference --exclude=fifo . ../copy
    ! chown 0 file 2>/dev/null
    ! mknod device c 1 3 2>/dev/null`;
  const worked = await shell(work, user);
  t.equal(worked.code, 0, worked.stdout + worked.stderr);

  t.throws(() => readdirSync(mounted.mountPoint), { code: 'EACCES' }, 'root stays out: allow_other is off');
  const stranger = await shell(`ls "${mounted.mountPoint}"`, as(STRANGER));
  t.match(stranger.stderr, 'Permission denied', 'and so do other users');

  t.equal((await run('fusermount3', ['-u', mounted.mountPoint], user)).code, 0, 'the user unmounts');
  await mounted.mounted([], user);
  const read = await shell(`cat "${mounted.mountPoint}/project/sub/symlink"`, user);
  t.equal(read.stdout, 'one\n', 'and finds everything again');
  const umount = await mounted.umount([], user);
  t.equal(umount.code, 0, umount.stderr);
  await mounted.checked();
});

t.test('users share a mount of root under the rules of permission', { skip }, async (t) => {
  const mounted = new MountedStore(t);
  chmodSync(mounted.directory, 0o755);
  await mounted.mounted();
  mkdirSync(mounted.path('shared'));
  chmodSync(mounted.path('shared'), 0o1777);
  const [nobody, stranger] = [as(NOBODY), as(STRANGER)];
  const mine = mounted.path('shared', 'mine');
  t.equal((await shell(`umask 077; echo secret >"${mine}"`, nobody)).code, 0);
  for (const forbidden of [
    `cat "${mine}"`,
    `echo x >>"${mine}"`,
    `rm -f "${mine}"`,
    `touch "${mounted.path('new')}"`,
  ]) {
    const { code, stderr } = await shell(forbidden, stranger);
    t.not(code, 0, forbidden);
    t.match(stderr, /Permission denied|Operation not permitted/);
  }
  t.equal((await shell(`mv "${mine}" "${mine}.moved"`, nobody)).code, 0);
  t.equal(readFileSync(`${mine}.moved`, 'utf8'), 'secret\n');
  t.equal(statSync(`${mine}.moved`).uid, NOBODY);
  await mounted.unmounted();
  await mounted.checked();
});
