/**
 * Everyday programs on a mount over fuse-native, and whether what they made is the same after mounting again, over fuse-native and
 * over the kernel's protocol.
 *
 * @timeout 240
 */
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT } from '../cli/program.js';
import { MountedStore, succeed } from '../mounted/mounted-store.js';
import { checkGit, checkSqlite, type JournalMode, workWithSqlite } from '../mounted/real-work.js';
import { OVER_FUSE_NATIVE, unavailable } from './availability.js';

/** So that looking at everything changes nothing. */
const WORDS = [...OVER_FUSE_NATIVE, '-o', 'noatime'];

const JOURNAL_MODES: readonly JournalMode[] = ['wal', 'delete'];

t.setTimeout(230_000);

/** All that is to be seen of the files in a directory. */
const manifest = (directory: string): Promise<string> =>
  succeed('python3', ['-B', path.join(ROOT, 'test/mounted/manifest.py'), directory]);

/** Throws with the first differences. */
const compare = (one: string, other: string): Promise<string> =>
  succeed('diff', ['-r', '--no-dereference', one, other]);

t.test('everyday programs', { skip: unavailable }, async (t) => {
  const mounted = new MountedStore(t);
  const at = (name: string): string => mounted.path(name);
  await mounted.mounted(WORDS);
  const sources = path.join(mounted.directory, 'sources');
  mkdirSync(sources);
  cpSync(path.join(ROOT, 'src'), path.join(sources, 'tree'), { recursive: true });
  await succeed('ln', [path.join(sources, 'tree/cli/mount.ts'), path.join(sources, 'tree/second-name')]);
  await succeed('ln', ['-s', 'cli/mount.ts', path.join(sources, 'tree/symlink')]);
  await succeed('touch', ['-d', '2001-02-03 04:05:06.789', path.join(sources, 'tree/cli/mount.ts')]);
  await succeed('chmod', ['4750', path.join(sources, 'tree/cli/status.ts')]);

  await t.test('cp -a keeps contents, modes, times and links', async (t) => {
    await succeed('cp', ['-a', path.join(sources, 'tree'), at('copy')]);
    await compare(path.join(sources, 'tree'), at('copy'));
    const copy = statSync(at('copy/cli/mount.ts'));
    t.equal(copy.nlink, 2);
    t.equal(copy.ino, statSync(at('copy/second-name')).ino);
    t.equal(copy.mtimeMs, Date.UTC(2001, 1, 3, 4, 5, 6, 789) + new Date(copy.mtimeMs).getTimezoneOffset() * 60_000);
    t.equal(statSync(at('copy/cli/status.ts')).mode & 0o7777, 0o4750);
  });

  await t.test('tar packs and unpacks', async () => {
    await succeed('tar', ['-cf', at('tree.tar'), '-C', at('copy'), '.']);
    mkdirSync(at('unpacked'));
    await succeed('tar', ['-xpf', at('tree.tar'), '-C', at('unpacked')]);
    await compare(at('copy'), at('unpacked'));
  });

  await t.test('mv moves directories with what is in them, rm -rf removes them', async (t) => {
    await succeed('cp', ['-a', at('copy'), at('moving')]);
    mkdirSync(at('elsewhere'));
    await succeed('mv', [at('moving'), at('elsewhere/moved')]);
    await compare(at('copy'), at('elsewhere/moved'));
    t.notOk(existsSync(at('moving/cli')));
    await succeed('mv', [at('elsewhere'), at('moving')]);
    await compare(at('copy'), at('moving/moved'));
    await succeed('rm', ['-rf', at('moving')]);
    t.notOk(existsSync(at('moving')));
  });

  await t.test('git clones, commits, packs and checks', async () => {
    const git = (repository: string, ...words: string[]): Promise<string> =>
      succeed('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', '-C', repository, ...words]);
    await git(at('unpacked'), 'init', '-q');
    await git(at('unpacked'), 'add', '-A');
    await git(at('unpacked'), 'commit', '-q', '-m', 'all');
    await git('/', 'clone', '-q', '--no-hardlinks', at('unpacked'), at('clone'));
    await git(at('clone'), 'mv', 'cli', 'commands');
    await git(at('clone'), 'commit', '-q', '-a', '-m', 'renamed');
    await git(at('clone'), 'gc', '-q', '--prune=now');
    await checkGit(at('clone'));
  });

  await t.test('sqlite commits and rolls back in two journal modes', async () => {
    mkdirSync(at('databases'));
    for (const mode of JOURNAL_MODES) {
      await workWithSqlite(at(`databases/${mode}`), mode);
    }
  });

  await t.test('everything is the same after a new mount', async (t) => {
    const before = await manifest(mounted.mountPoint);
    await mounted.remounted(WORDS);
    t.ok((await manifest(mounted.mountPoint)) === before);
    await mounted.unmounted();
    await mounted.checked();
  });

  await t.test('and over the kernel protocol', async (t) => {
    await mounted.mounted();
    t.same(readdirSync(mounted.mountPoint).sort(), ['clone', 'copy', 'databases', 'tree.tar', 'unpacked']);
    await compare(path.join(sources, 'tree'), at('copy'));
    await checkGit(at('clone'));
    for (const mode of JOURNAL_MODES) {
      await checkSqlite(at(`databases/${mode}`));
    }
    await mounted.unmounted();
    await mounted.checked();
  });
});
