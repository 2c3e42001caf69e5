/**
 * What people do on a file system, each piece in a directory of its own: git, npm, tar, sqlite. Used by the test of real input
 * and by `npm run kill`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, run } from '../cli/program.js';
import { succeed } from './mounted-store.js';

const FILES_PER_COMMIT = 1000;
const COMMITS = 4;
const REGISTRY_TIMEOUT_SECONDS = 5;
const INSTALL_TIMEOUT_SECONDS = 40;
/** A small package with a few dependencies of its own. */
const PACKAGE = 'glob@10';

const git = (repository: string, ...words: string[]): Promise<string> =>
  succeed('git', [
    '-c',
    'user.name=Test',
    '-c',
    'user.email=test@example.org',
    '-c',
    'init.defaultBranch=main',
    '-c',
    'gc.auto=0',
    '-C',
    repository,
    ...words,
  ]);

/** Makes a repository of a few thousand files in several commits. */
export async function makeRepository(repository: string): Promise<void> {
  mkdirSync(repository);
  await git(repository, 'init', '-q');
  for (let commit = 0; commit < COMMITS; commit++) {
    for (let number = 0; number < FILES_PER_COMMIT; number++) {
      const directory = path.join(repository, `module-${commit}`, `part-${number % 37}`);
      mkdirSync(directory, { recursive: true });
      writeFileSync(
        path.join(directory, `file-${number}.ts`),
        `export const value${number} = ${commit};\n`.repeat(1 + (number % 50)),
      );
    }
    writeFileSync(path.join(repository, 'changing.txt'), `commit ${commit}\n`.repeat(1000));
    await git(repository, 'add', '-A');
    await git(repository, 'commit', '-q', '-m', `commit ${commit}`);
  }
}

/** Clones, works in the clone, and has git check and pack it. */
export async function workWithGit(source: string, clone: string): Promise<void> {
  await git('/', 'clone', '-q', '--no-hardlinks', source, clone);
  await git(clone, 'checkout', '-q', '-b', 'work', 'HEAD~2');
  writeFileSync(path.join(clone, 'changing.txt'), 'changed here\n');
  await git(clone, 'commit', '-q', '-a', '-m', 'work');
  await git(clone, 'checkout', '-q', 'main');
  await git(clone, 'gc', '-q', '--prune=now');
  await checkGit(clone);
}

/** Throws unless git finds the repository whole and the work tree as it was committed. */
export async function checkGit(clone: string): Promise<void> {
  await git(clone, 'fsck', '--full', '--strict');
  const status = await git(clone, 'status', '--porcelain');
  if (status !== '') {
    throw new Error(`git status: ${status}`);
  }
}

export async function isRegistryReachable(): Promise<boolean> {
  const timeout = String(REGISTRY_TIMEOUT_SECONDS * 1000);
  return (await run('npm', ['ping', '--fetch-timeout', timeout, '--fetch-retries', '0'])).code === 0;
}

/** Installs a package with dependencies, and runs it. */
export async function workWithNpm(directory: string): Promise<void> {
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'package.json'), '{"name": "work", "version": "1.0.0", "type": "module"}');
  const words = ['install', '--no-audit', '--no-fund', '--loglevel=error', PACKAGE];
  // npm waits for ever when its directory goes away under it.
  await succeed('timeout', ['--kill-after=1', String(INSTALL_TIMEOUT_SECONDS), 'npm', ...words], directory);
  const program = "import { globSync } from 'glob'; console.log(globSync('package*.json').sort().join());";
  const printed = await succeed(process.execPath, ['--input-type=module', '-e', program], directory);
  if (printed !== 'package-lock.json,package.json\n') {
    throw new Error(`the package printed ${printed}`);
  }
}

/** Makes a tree of everything that an archive can hold, and packs it. Returns the tree; the archive is beside it. */
export async function makeArchive(directory: string): Promise<{ tree: string; archive: string }> {
  const tree = path.join(directory, 'tree');
  const archive = path.join(directory, 'tree.tar');
  await succeed('python3', ['-B', path.join(ROOT, 'test/mounted/make_tree.py'), tree]);
  await succeed('tar', ['-cSf', archive, '--format=posix', '--xattrs', '--xattrs-include=*', '-C', directory, 'tree']);
  return { tree, archive };
}

export async function unpack(archive: string, directory: string): Promise<void> {
  mkdirSync(directory);
  const words = [
    '-xpSf',
    archive,
    '--same-owner',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '-C',
    directory,
  ];
  await succeed('tar', words);
}

export type JournalMode = 'wal' | 'delete' | 'truncate';
export const JOURNAL_MODES: readonly JournalMode[] = ['wal', 'delete', 'truncate'];

/** Runs transactions on a database by Python's sqlite3, some of them rolled back. */
export async function workWithSqlite(database: string, mode: JournalMode): Promise<void> {
  const program = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
assert connection.execute('pragma journal_mode=' + sys.argv[2]).fetchone()[0] == sys.argv[2]
connection.execute('create table if not exists entry (id integer primary key, name text unique, content blob)')
for batch in range(30):
    connection.execute('begin')
    for number in range(40):
        connection.execute('insert into entry (name, content) values (?, randomblob(?))', (f'{batch}-{number}', number * 97))
    connection.execute('update entry set content = zeroblob(500) where id % 17 = ?', (batch % 17,))
    connection.execute('rollback' if batch % 5 == 4 else 'commit')
connection.execute('delete from entry where id % 3 = 0')
connection.execute('vacuum')
`;
  await succeed('python3', ['-c', program, database, mode]);
  await checkSqlite(database);
}

/** Throws unless sqlite finds the database whole. */
export async function checkSqlite(database: string): Promise<void> {
  const program = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute('pragma integrity_check').fetchone()[0])
`;
  const said = await succeed('python3', ['-c', program, database]);
  if (said !== 'ok\n') {
    throw new Error(`sqlite finds: ${said}`);
  }
}
