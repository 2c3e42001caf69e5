/**
 * A mount over fuse-native from its beginning to each of its ends, and what keeps it from beginning.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { FuseNative } from '../../src/fuse-native/package.js';
import { mountAt } from '../../src/mount/mount-table.js';
import { lockState } from '../../src/store/lock.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { until } from '../mount/mounting.js';
import { MountedStore } from '../mounted/mounted-store.js';
import { OVER_FUSE_NATIVE, unavailable } from './availability.js';

const INSTALLED = path.join(ROOT, 'build/fuse-native');

t.test('a mount over fuse-native lives and ends', { skip: unavailable }, async (t) => {
  const mounted = new MountedStore(t);
  const file = mounted.path('file');
  const hasEnded = (): boolean => mountAt(mounted.mountPoint) === undefined && !lockState(mounted.store).held;

  await t.test('status tells of it, scrub reads it, restart is refused', async (t) => {
    await mounted.mounted(OVER_FUSE_NATIVE);
    writeFileSync(file, 'kept');
    const status = await razorfs(['status', mounted.mountPoint]);
    t.match(status.stdout, /transport +fuse-native/);
    const scrub = await razorfs(['scrub', mounted.mountPoint]);
    t.match(scrub, { code: EXIT.success, stdout: /OK/ });
    const restart = await razorfs(['restart', mounted.mountPoint]);
    t.equal(restart.code, EXIT.failure);
    t.match(restart.stderr, /no other process can go on/);
    t.equal(readFileSync(file, 'utf8'), 'kept');
  });

  await t.test('umount(8) ends it, and the store is clean', async () => {
    await run('umount', [mounted.mountPoint]);
    await until(hasEnded);
    await mounted.checked();
  });

  await t.test('so does SIGTERM', async (t) => {
    const { recovery } = await mounted.mounted(OVER_FUSE_NATIVE);
    t.ok(recovery.clean);
    process.kill(await mounted.servingPid(), 'SIGTERM');
    await until(hasEnded);
    await mounted.checked();
  });

  await t.test('when the serving process dies the mount goes, and the next one has what was written', async (t) => {
    const { recovery } = await mounted.mounted(OVER_FUSE_NATIVE);
    t.ok(recovery.clean);
    writeFileSync(file, 'written before the kill');
    process.kill(await mounted.servingPid(), 'SIGKILL');
    await until(hasEnded);
    t.match(readFileSync(path.join(mounted.store, 'razorfs.log'), 'utf8'), /a mount over fuse-native ends with it/);
    const after = await mounted.mounted(OVER_FUSE_NATIVE);
    t.notOk(after.recovery.clean);
    t.equal(readFileSync(file, 'utf8'), 'written before the kill');
    await mounted.unmounted();
    await mounted.checked();
  });

  await t.test('every change is durable with --durability sync; a read-only mount refuses', async (t) => {
    await mounted.mounted([...OVER_FUSE_NATIVE, '--durability', 'sync']);
    writeFileSync(file, 'durable');
    await mounted.remounted([...OVER_FUSE_NATIVE, '-o', 'ro']);
    t.equal(readFileSync(file, 'utf8'), 'durable');
    t.throws(() => writeFileSync(file, ''), { code: 'EROFS' });
    await mounted.unmounted();
  });
});

t.test('others cannot be let in', { skip: unavailable }, async (t) => {
  const mounted = new MountedStore(t);
  const { code, stderr } = await mounted.mount([...OVER_FUSE_NATIVE, '-o', 'allow_other']);
  t.equal(code, EXIT.usage);
  t.match(stderr, /only the user who mounts may enter/);
  t.equal(mountAt(mounted.mountPoint), undefined);
});

t.test('a package or a libfuse that is missing', { skip: existsSync(INSTALLED) ? false : unavailable }, async (t) => {
  const directory = mkdtempSync(path.join(process.env.TMPDIR ?? path.join(ROOT, 'build'), 'test-package-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  t.throws(() => FuseNative.load(path.join(directory, 'nothing')), {
    code: 'no-package',
    advice: /build\.mjs --fuse-native$/,
  });

  // The package as it is, but linked with a library that no system has.
  cpSync(INSTALLED, directory, { recursive: true });
  const binaries = path.join(directory, 'node_modules/fuse-native/prebuilds', `linux-${process.arch}`);
  for (const name of readdirSync(binaries).filter((name) => /\.node$/.test(name))) {
    const binary = path.join(binaries, name);
    const text = readFileSync(binary, 'latin1');
    writeFileSync(binary, text.replaceAll('libfuse.so.2\0', 'libfuse.so.0\0'), 'latin1');
  }
  t.throws(() => FuseNative.load(directory), {
    code: 'no-libfuse2',
    message: /libfuse 2 is not installed/,
    advice: /apt-get install libfuse2/,
  });
});
