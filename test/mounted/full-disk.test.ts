/**
 * The host's disk fills up under a mount, in several ways: programs are told so, nothing that had returned is lost, deleting
 * works, and the mount goes on once there is space again.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { run } from '../cli/program.js';
import { LoopDisk, noLoopDisk } from './loop-disk.js';
import { isInstalled, MountedStore } from './mounted-store.js';
import { contentOf } from './work-model.js';

const DISK_BYTES = 96 << 20;
/** More of anything than the disk takes. */
const ATTEMPTS_MAX = 200_000;
/** Taken from the disk beforehand, to be given back. */
const BALLAST_BYTES = 24 << 20;
const ATTEMPTS_FOR_SPACE = 50;
const RETRY_MS = 200;
const TIMEOUT_MS = 110_000;

t.setTimeout(TIMEOUT_MS);

const isFull = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOSPC';

/** Writes a file and fsyncs it; false when the disk is full, whichever call said so. Then no file is left. */
function keep(file: string, seed: number, length: number): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'w');
    const content = contentOf(seed, length);
    for (let at = 0; at < length; ) {
      at += writeSync(fd, content, at);
    }
    fsyncSync(fd);
    closeSync(fd);
    return true;
  } catch (error) {
    if (!isFull(error)) throw error;
    if (fd !== undefined) {
      closeQuietly(fd);
      unlinkSync(file);
    }
    return false;
  }
}

/** close(2) tells again what fsync has told. */
function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    if (!isFull(error)) throw error;
  }
}

/** Space comes back in the background: when changes are durable, and when what lives in sparse segments has been moved. */
async function keepSoon(file: string, seed: number, length: number): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS_FOR_SPACE; attempt++) {
    if (keep(file, seed, length)) return true;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return false;
}

/** Calls it with 0, 1, 2, … until it returns false, and tells how often it returned true. */
function untilFull(attempt: (number: number) => boolean): number {
  for (let number = 0; number < ATTEMPTS_MAX; number++) {
    if (!attempt(number)) return number;
  }
  throw new Error('the disk never got full');
}

const isRight = (file: string, seed: number, length: number): boolean =>
  readFileSync(file).equals(contentOf(seed, length));

/** A store of its own on a small disk. */
async function smallStore(t: Tap): Promise<{ disk: LoopDisk; mounted: MountedStore }> {
  const disk = new LoopDisk(t, DISK_BYTES);
  const mounted = new MountedStore(t, path.join(disk.path, 'store'));
  await mounted.mounted();
  return { disk, mounted };
}
type Tap = ConstructorParameters<typeof MountedStore>[0];

const skip = noLoopDisk();

t.test('many small files', { skip }, async (t) => {
  const { disk, mounted } = await smallStore(t);
  disk.fill(BALLAST_BYTES);
  const length = (number: number): number => (number * 7919) % 25_000;
  mkdirSync(mounted.path('small'));
  const name = (number: number): string => mounted.path('small', `file-${number}`);
  const kept = untilFull((number) => keep(name(number), number, length(number)));
  t.ok(kept > 1000, `${kept} files`);
  const wrong = (): number[] =>
    readdirSync(mounted.path('small'))
      .map((file) => Number(file.slice('file-'.length)))
      .filter((number) => !isRight(name(number), number, length(number)));
  t.same(wrong(), []);
  t.equal(readdirSync(mounted.path('small')).length, kept);

  const left = readdirSync(mounted.path('small')).filter((_, index) => index % 4 === 0);
  for (const file of readdirSync(mounted.path('small')).filter((file) => !left.includes(file))) {
    unlinkSync(mounted.path('small', file));
  }
  t.same(wrong(), []);
  // Not what was deleted: a segment of small files gives space back when it has been filled.
  disk.drain();
  t.ok(await keepSoon(mounted.path('again'), 1, 10 << 20), 'it goes on once there is room again');
  await mounted.remounted();
  t.same(wrong(), [], 'after deleting on the full disk, and a new mount');
  t.same(readdirSync(mounted.path('small')).sort(), left.sort());
  t.ok(isRight(mounted.path('again'), 1, 10 << 20));
  await mounted.unmounted();
  await mounted.checked();
});

t.test('one large file', { skip }, async (t) => {
  const { mounted } = await smallStore(t);
  t.ok(keep(mounted.path('before'), 7, 100_000));
  const fd = openSync(mounted.path('large'), 'w');
  const piece = contentOf(1, 1 << 20);
  let synced = 0;
  const pieces = untilFull(() => {
    try {
      writeSync(fd, piece);
      fsyncSync(fd);
      synced += piece.length;
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      return false;
    }
  });
  closeQuietly(fd);
  t.ok(pieces > 10, `${pieces} MiB were synced`);
  const content = readFileSync(mounted.path('large'));
  t.ok(content.length >= synced);
  t.ok(
    Array.from({ length: pieces }, (_, index) => content.subarray(index << 20, (index + 1) << 20)).every((part) =>
      part.equals(piece),
    ),
  );
  t.ok(isRight(mounted.path('before'), 7, 100_000));

  truncateSync(mounted.path('large'), 1 << 20);
  t.ok(await keepSoon(mounted.path('after'), 8, 10 << 20), 'what truncation gave back can be used');
  await mounted.remounted();
  t.ok(readFileSync(mounted.path('large')).equals(piece));
  t.ok(isRight(mounted.path('after'), 8, 10 << 20));
  await mounted.unmounted();
  await mounted.checked();
});

t.test('directories, renames and extended attributes', { skip }, async (t) => {
  const { disk, mounted } = await smallStore(t);
  mkdirSync(mounted.path('made'));
  t.ok(keep(mounted.path('value'), 3, 60_000));
  disk.fill();
  const directories = untilFull((number) => {
    try {
      mkdirSync(mounted.path('made', `directory-${number}-${'n'.repeat(200)}`));
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      return false;
    }
  });
  t.equal(readdirSync(mounted.path('made')).length, directories, `${directories} directories`);
  if (isInstalled('setfattr')) {
    // The strings may have room for some more than the directories needed.
    let refusal = '';
    for (let number = 0; refusal === '' && number < 100; number++) {
      const words = ['-n', `user.large-${number}`, '-v', 'x'.repeat(60_000), mounted.path('value')];
      refusal = (await run('setfattr', words)).stderr;
    }
    t.match(refusal, /No space left/);
  }
  t.ok(isRight(mounted.path('value'), 3, 60_000));
  const { stdout } = await run('df', ['--output=avail', mounted.mountPoint]);
  t.ok(Number(stdout.split('\n')[1]) < 1024, 'df shows the host as it is');

  disk.drain();
  mkdirSync(mounted.path('made', 'after'));
  renameSync(mounted.path('value'), mounted.path('renamed'));
  t.ok(keep(mounted.path('more'), 4, 5 << 20), 'it goes on in place');
  disk.fill();
  rmSync(mounted.path('made'), { recursive: true });
  t.notOk(readdirSync(mounted.mountPoint).includes('made'), 'everything can be deleted on the full disk');
  disk.drain();
  await mounted.remounted();
  t.same(readdirSync(mounted.mountPoint).sort(), ['more', 'renamed']);
  t.ok(isRight(mounted.path('more'), 4, 5 << 20));
  await mounted.unmounted();
  await mounted.checked();
});

t.test('what could not be allocated as a whole is given back', { skip }, async (t) => {
  const { mounted } = await smallStore(t);
  for (let number = 0; number < 5; number++) {
    const { code, stderr } = await run('fallocate', ['-l', String(2 * DISK_BYTES), mounted.path(`file-${number}`)]);
    t.not(code, 0, 'more than there is');
    t.match(stderr, /No space left/);
  }
  const length = (DISK_BYTES / 2) | 0;
  t.ok(await keepSoon(mounted.path('value'), 5, length), 'there is room for something smaller');
  unlinkSync(mounted.path('value'));
  t.ok(await keepSoon(mounted.path('other'), 6, length), 'and for something else in its place');
  await mounted.unmounted();
  await mounted.checked();
});

t.test('unmounting and mounting while the disk is full', { skip }, async (t) => {
  const { disk, mounted } = await smallStore(t);
  const names = Array.from({ length: 200 }, (_, number) => mounted.path(`file-${number}`));
  for (const [number, name] of names.entries()) {
    t.ok(keep(name, number, 3000));
  }
  disk.fill();
  const umount = await mounted.umount();
  t.comment(`umount: exit code ${umount.code}: ${umount.stdout}${umount.stderr}`);
  const mount = await mounted.mount();
  t.comment(`mount: exit code ${mount.code}: ${mount.stdout}${mount.stderr}`);
  t.notMatch(`${umount.stderr}${mount.stderr}`, /\n\s+at /, 'no stack trace');
  disk.drain();
  if (mount.code !== 0) {
    await mounted.mounted();
  }
  t.ok(names.every((name, number) => isRight(name, number, 3000)));
  await mounted.unmounted();
  await mounted.checked();
});

t.test('what fallocate has set aside is there for a later mount', { skip }, async (t) => {
  const { disk, mounted } = await smallStore(t);
  const lengths = [8 << 20, 100_000, 6 << 20];
  const names = lengths.map((_, number) => mounted.path(`file-${number}`));
  // With the new size, and without it.
  for (const [number, name] of names.entries()) {
    closeSync(openSync(name, 'w'));
    const words = number === 2 ? ['--keep-size'] : [];
    t.match(await run('fallocate', [...words, '-l', String(lengths[number]), name]), { code: 0 });
  }
  await run('sync', names);
  await mounted.killEverything();
  await mounted.mounted();
  await mounted.remounted();
  disk.fill();
  t.notOk(keep(mounted.path('other'), 9, 1 << 20), 'nothing else has room');
  for (const [number, name] of names.entries()) {
    const fd = openSync(name, 'r+');
    const content = contentOf(number, lengths[number]!);
    for (let at = 0; at < content.length; ) at += writeSync(fd, content, at, content.length - at, at);
    fsyncSync(fd);
    closeSync(fd);
  }
  disk.drain();
  await mounted.remounted();
  t.ok(names.every((name, number) => isRight(name, number, lengths[number]!)));
  await mounted.unmounted();
  await mounted.checked();
});
