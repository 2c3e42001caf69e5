/**
 * POSIX semantics on a real mount: the cases of `posix/`, which run on any directory (see posix/run.py), one process for all
 * of them; and what depends on the options of the mount.
 */
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT, razorfs, run } from '../cli/program.js';
import { MountedStore } from './mounted-store.js';

const RUNNER = path.join(ROOT, 'test/mounted/posix/run.py');
const TIMEOUT_MS = 110_000;

interface CaseResult {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly message: string;
}

t.setTimeout(TIMEOUT_MS);

t.test('the POSIX cases', async (t) => {
  const mounted = new MountedStore(t);
  await mounted.mounted();
  // Cases become other users, who must get as far as the mount point.
  chmodSync(mounted.directory, 0o755);
  // -B: leave no compiled modules beside the sources.
  const { code, stdout, stderr } = await run('python3', ['-B', RUNNER, mounted.mountPoint]);
  t.equal(code, 0, stderr);
  const results: CaseResult[] = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  t.ok(results.length > 50, `${results.length} cases ran`);
  for (const { name, outcome, message } of results) {
    switch (outcome) {
      case 'passed':
        t.pass(name);
        break;
      case 'skipped':
        t.comment(`${name} was skipped: ${message}`);
        break;
      case 'failed':
        t.fail(name, { reason: `${message}${stderr}` });
        break;
    }
  }
  await mounted.unmounted();
  await mounted.checked();
});

/** Reads a byte of a file whose atime is long before its mtime and ctime, and tells whether atime moved. */
function readingMovesAtime(file: string): boolean {
  const before = statSync(file).atimeMs;
  const fd = openSync(file, 'r');
  readSync(fd, Buffer.alloc(1));
  closeSync(fd);
  return statSync(file).atimeMs !== before;
}

t.test('options of the mount', async (t) => {
  const mounted = new MountedStore(t);
  const file = mounted.path('file');

  await t.test('relatime, the default', async (t) => {
    await mounted.mounted();
    writeFileSync(file, 'x');
    utimesSync(file, 1000, 2000);
    await mounted.remounted();
    t.ok(readingMovesAtime(file), 'atime was older than mtime');
    await mounted.remounted();
    t.notOk(readingMovesAtime(file), 'it is not any more');
  });

  await t.test('noatime and strictatime', async (t) => {
    utimesSync(file, 1000, 2000);
    await mounted.remounted(['-o', 'noatime']);
    t.notOk(readingMovesAtime(file));
    await mounted.remounted(['-o', 'strictatime']);
    t.ok(readingMovesAtime(file));
    await mounted.remounted(['-o', 'strictatime']);
    t.ok(readingMovesAtime(file), 'each time');
  });

  await t.test('nodiratime', async (t) => {
    mkdirSync(mounted.path('directory'));
    for (const [options, moves] of [
      ['strictatime,nodiratime', false],
      ['strictatime', true],
    ] as const) {
      await mounted.remounted(['-o', options]);
      const before = statSync(mounted.path('directory')).atimeMs;
      readdirSync(mounted.path('directory'));
      t.equal(statSync(mounted.path('directory')).atimeMs !== before, moves, options);
      t.ok(readingMovesAtime(file), 'of files it moves');
    }
  });

  await t.test('sync and dirsync make every change durable before it returns', async (t) => {
    for (const word of ['sync', 'dirsync']) {
      await mounted.remounted(['-o', word]);
      const { stdout } = await razorfs(['status', '--json', mounted.mountPoint]);
      t.equal(JSON.parse(stdout).mounts[0].status.volume.durability, 'sync', word);
    }
  });

  await t.test('ro', async (t) => {
    await mounted.remounted(['-o', 'ro']);
    t.equal(readFileSync(file, 'utf8'), 'x');
    t.notOk(readingMovesAtime(file));
    t.throws(() => writeFileSync(file, 'y'), { code: 'EROFS' });
    t.throws(() => writeFileSync(mounted.path('new'), 'y'), { code: 'EROFS' });
    await mounted.unmounted();
    await mounted.checked();
  });
});
