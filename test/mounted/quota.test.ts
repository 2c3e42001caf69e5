/**
 * Quotas on real mounts, set by the commands: what programs are told at the limit and when, what df shows, and that mv copies.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import t, { type Test } from 'tap';
import { EDQUOT } from '../../src/errors/errno.js';
import type { QuotaReport } from '../../src/mount/commands/quotas.js';
import { razorfs } from '../cli/program.js';
import { MountedStore, succeed } from './mounted-store.js';

const KIB = 1024;
const TIMEOUT_MS = 60_000;
const LIMIT = 1024 * KIB;

t.setTimeout(TIMEOUT_MS);

const skip = process.getuid?.() === 0 && existsSync('/dev/fuse') ? false : 'needs root and /dev/fuse';

/** The errno's name that a call fails with; empty when it does not. */
function failureOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    const { errno, code } = error as NodeJS.ErrnoException;
    // libuv has no name for it.
    return errno === -EDQUOT.number ? 'EDQUOT' : (code ?? String(error));
  }
}

async function command(t: Test, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await razorfs(['quota', ...words]);
  t.equal(code, 0, `quota ${words.join(' ')}: ${stderr}`);
  return stdout;
}

async function listed(t: Test, target: string): Promise<Record<string, Omit<QuotaReport, 'path'>>> {
  const { quotas }: { quotas: QuotaReport[] } = JSON.parse(await command(t, 'list', target, '--json'));
  return Object.fromEntries(quotas.map(({ path, ...quota }) => [path, quota]));
}

/** Writes a file of twice the limit, and tells what write, fsync and close say. */
function writeTooMuch(file: string): { write: string; fsync: string; close: string } {
  const fd = openSync(file, 'w');
  const write = failureOf(() => {
    for (let at = 0; at < 2 * LIMIT; at += 64 * KIB) writeSync(fd, Buffer.alloc(64 * KIB, 'x'), 0, 64 * KIB, at);
  });
  return { write, fsync: failureOf(() => fsyncSync(fd)), close: failureOf(() => closeSync(fd)) };
}

/** The same without fsync. */
function closeTooMuch(file: string): string {
  const fd = openSync(file, 'w');
  writeSync(fd, Buffer.alloc(2 * LIMIT, 'x'));
  return failureOf(() => closeSync(fd));
}

t.test('a directory with a quota', { skip }, async (t) => {
  const mounted = new MountedStore(t);
  await mounted.mounted();
  const inside = (name: string): string => mounted.path('limited', name);
  mkdirSync(mounted.path('limited'));
  writeFileSync(inside('early'), Buffer.alloc(100 * KIB));
  t.match(
    await command(t, 'set', mounted.path('limited'), '--bytes', '1M', '--inodes', '10'),
    '/limited may take 1 MiB and 10 inodes; it has 100 KiB in 2',
  );

  t.test('writes past it are refused, with the cache when it is written back', async (t) => {
    const said = writeTooMuch(inside('too much'));
    t.match(said, { write: '', fsync: 'EDQUOT' });
    t.equal(said.close, '', 'which has said it');
    t.match(closeTooMuch(inside('too much')), /^(EIO|EDQUOT)$/, 'close says that something is lost');
    rmSync(inside('too much'));
    t.equal(
      failureOf(() => truncateSync(inside('early'), 2 * LIMIT)),
      'EDQUOT',
      'growing is refused at once',
    );
    truncateSync(inside('early'), 50 * KIB);
    const { '/limited': quota } = await listed(t, mounted.mountPoint);
    t.match(quota, { bytesUsed: 50 * KIB, bytesMax: LIMIT, inodesUsed: 2, inodesMax: 10 });
  });

  t.test('so are too many inodes', async (t) => {
    for (let i = 0; i < 8; i++) mkdirSync(inside(`directory ${i}`));
    t.equal(
      failureOf(() => mkdirSync(inside('one more'))),
      'EDQUOT',
    );
    t.equal(
      failureOf(() => writeFileSync(inside('one more'), '')),
      'EDQUOT',
    );
    for (let i = 0; i < 8; i++) rmSync(inside(`directory ${i}`), { recursive: true });
  });

  t.test('df shows what it leaves', async (t) => {
    const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(inside('early'));
    t.equal(blocks * bsize, LIMIT);
    t.equal((blocks - bfree) * bsize, Math.ceil((50 * KIB) / bsize) * bsize);
    t.equal(bavail, bfree);
    t.match({ files, ffree }, { files: 10, ffree: 8 });
    t.ok(statfsSync(mounted.mountPoint).blocks > blocks, 'elsewhere it is that of the host');
  });

  t.test('mv copies into it and out of it', async (t) => {
    writeFileSync(mounted.path('outside'), Buffer.alloc(200 * KIB, 'y'));
    t.equal(
      failureOf(() => renameSync(mounted.path('outside'), inside('moved'))),
      'EXDEV',
    );
    t.equal(
      failureOf(() => linkSync(mounted.path('outside'), inside('linked'))),
      'EXDEV',
    );
    await succeed('mv', [mounted.path('outside'), inside('moved')]);
    t.ok(readFileSync(inside('moved')).equals(Buffer.alloc(200 * KIB, 'y')));
    t.notOk(existsSync(mounted.path('outside')));
    t.match((await listed(t, mounted.mountPoint))['/limited'], { bytesUsed: 250 * KIB, inodesUsed: 3 });
    await succeed('mv', [inside('moved'), mounted.path('outside')]);
    renameSync(inside('early'), inside('renamed'));
    t.match((await listed(t, mounted.mountPoint))['/limited'], { bytesUsed: 50 * KIB, inodesUsed: 2 });
  });

  t.test('it is there after everything was killed, and after a remount', async (t) => {
    const fd = openSync(inside('large'), 'w');
    writeSync(fd, Buffer.alloc(700 * KIB));
    fsyncSync(fd);
    closeSync(fd);
    await mounted.killEverything();
    await mounted.mounted();
    t.match((await listed(t, mounted.mountPoint))['/limited'], { bytesUsed: 750 * KIB, inodesUsed: 3 });
    await mounted.unmounted();
    await mounted.checked();
    t.match((await listed(t, mounted.store))['/limited'], { bytesUsed: 750 * KIB, inodesUsed: 3 }, 'without a mount');
    await command(t, 'set', mounted.store, '/limited', '--inodes', 'none', '--bytes', '700K');
    await mounted.mounted();
    t.match(writeTooMuch(inside('more')), { fsync: 'EDQUOT' }, 'a lowered limit: nothing can grow');
    truncateSync(inside('large'), 10);
    await succeed('mv', [inside('large'), inside('still')]);
    rmSync(inside('still'));
  });

  t.test('without it, there is no limit', async (t) => {
    t.match(await command(t, 'remove', mounted.path('limited')), '/limited has no quota any more');
    t.strictSame(writeTooMuch(inside('more')), { write: '', fsync: '', close: '' });
    t.strictSame(Object.keys(await listed(t, mounted.mountPoint)), ['/']);
    renameSync(inside('more'), mounted.path('more'));
    const refused = await razorfs(['quota', 'remove', mounted.path('limited')]);
    t.match(refused, { code: 2, stderr: /There is no quota on "\/limited"/ });
    t.match(await razorfs(['quota', 'set', '/', '--inodes', '5']), { stderr: /not on a mount of RazorFS/ });
  });
});

t.test('with -o writethrough, each write says so', { skip }, async (t) => {
  const mounted = new MountedStore(t);
  await mounted.mounted(['-o', 'writethrough']);
  mkdirSync(mounted.path('limited'));
  await command(t, 'set', mounted.path('limited'), '--bytes', '1M');
  const said = writeTooMuch(mounted.path('limited', 'file'));
  t.strictSame(said, { write: 'EDQUOT', fsync: '', close: '' });
  t.equal(statSync(mounted.path('limited', 'file')).size, LIMIT, 'all that fits is there');
  const fd = openSync(mounted.path('limited', 'file'), 'r+');
  t.equal(
    failureOf(() => writeSync(fd, 'x', LIMIT)),
    'EDQUOT',
  );
  writeSync(fd, 'x', 0);
  ftruncateSync(fd, 0);
  closeSync(fd);
  await mounted.unmounted();
  await mounted.checked();
});
