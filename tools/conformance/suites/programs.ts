/**
 * Programs that people run on their files: each does its work on the mount, and what it has made is checked.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isInstalled } from '../../../test/mounted/mounted-store.js';
import {
  checkSqlite,
  isRegistryReachable,
  JOURNAL_MODES,
  makeArchive,
  makeRepository,
  unpack,
  workWithGit,
  workWithNpm,
  workWithSqlite,
} from '../../../test/mounted/real-work.js';
import { runProgram, runShell } from '../program.js';
import { assertSameTree } from '../same-tree.js';
import type { Suite, Test } from '../suite.js';

const PACKAGE = 'glob@10';
const SOURCES = 60;
const TEXTS = 40;

const git: Test = async ({ directory, scratch }) => {
  await makeRepository(path.join(directory, 'origin'));
  await workWithGit(path.join(directory, 'origin'), path.join(directory, 'clone'));
  const script = `
    git clone -q --no-hardlinks origin "$AWAY"
    git -C "$AWAY" fsck --full --strict
    cd clone
    git worktree add -q ../worktree HEAD~1
    test -z "$(git -C ../worktree status --porcelain)"
    git repack -q -a -d -f
    git reset -q --hard HEAD~1
    git clean -qfdx
    git fsck --full --strict`;
  await runShell(script, { cwd: directory, env: { ...process.env, AWAY: path.join(scratch, 'away') } });
};

const npm: Test = async ({ directory }) => {
  await workWithNpm(path.join(directory, 'work'));
};

/** With its store on the mount too, so that it makes hard links or clones. */
const pnpm: Test = async ({ directory }) => {
  writeFileSync(path.join(directory, 'package.json'), '{"name": "work", "version": "1.0.0", "private": true}');
  const command = isInstalled('pnpm') ? ['pnpm'] : ['npm', 'exec', '--yes', '--package=pnpm@9', '--', 'pnpm'];
  const store = ['--store-dir', path.join(directory, 'store')];
  await runProgram([...command, 'add', ...store, PACKAGE], { cwd: directory });
  await runProgram([...command, 'store', 'status', ...store], { cwd: directory });
  await runProgram([process.execPath, '-e', "require('glob').globSync('*')"], { cwd: directory });
};

const tar: Test = async ({ directory, scratch }) => {
  const { tree, archive } = await makeArchive(scratch);
  const there = path.join(directory, 'there');
  await unpack(archive, there);
  await assertSameTree(tree, path.join(there, 'tree'));
  // And back: an archive made of the mount.
  const words = ['--format=posix', '--xattrs', '--xattrs-include=*', '--acls'];
  await runProgram(['tar', '-cSf', path.join(directory, 'again.tar'), ...words, '-C', there, 'tree']);
  await unpack(path.join(directory, 'again.tar'), path.join(scratch, 'back'));
  await assertSameTree(tree, path.join(scratch, 'back/tree'));
};

const rsync: Test = async ({ directory, scratch }) => {
  const { tree } = await makeArchive(scratch);
  const copy = path.join(directory, 'copy');
  const back = path.join(scratch, 'back');
  await runProgram(['rsync', '-aHAXS', '--modify-window=-1', `${tree}/`, copy]);
  await runProgram(['rsync', '-aHAXS', '--modify-window=-1', `${copy}/`, back]);
  for (const other of [copy, back]) {
    const changes = await runProgram([
      'rsync',
      '-aHAXSnc',
      '--modify-window=-1',
      '--delete',
      '--itemize-changes',
      `${tree}/`,
      other,
    ]);
    if (changes !== '') throw new Error(`rsync finds differences: ${changes}`);
    await assertSameTree(tree, other);
  }
};

/** coreutils: copied with everything, moved away and back over the edge of the file system. */
const copyAndMove: Test = async ({ directory, scratch }) => {
  const { tree } = await makeArchive(scratch);
  const copy = path.join(directory, 'copy');
  await runProgram(['cp', '-r', '--preserve=all', '--sparse=always', tree, copy]);
  await assertSameTree(tree, copy);
  await runProgram(['mv', copy, path.join(scratch, 'moved')]);
  await assertSameTree(tree, path.join(scratch, 'moved'));
  await runProgram(['mv', path.join(scratch, 'moved'), copy]);
  await assertSameTree(tree, copy);
  await runProgram(['cp', '-a', '--reflink=auto', copy, `${copy}-again`]);
  await assertSameTree(tree, `${copy}-again`);
};

const sqlite: Test = async ({ directory }) => {
  for (const mode of JOURNAL_MODES) {
    await workWithSqlite(path.join(directory, mode), mode);
  }
};

/**
 * Reads and writes through a map, while another process writes too. The log is switched on by one process before there are two:
 * SQLite refuses one of two that switch at the same time, at once and on any file system, whatever its timeout.
 */
const sqliteMapped: Test = async ({ directory }) => {
  const program = `
import os, sqlite3, sys
def connected():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
    connection.execute('pragma mmap_size=268435456')
    return connection
def work(offset):
    connection = connected()
    for number in range(400):
        connection.execute('insert into entry values (?, randomblob(2000))', (2 * number + offset,))
        connection.execute('update entry set content = zeroblob(900) where id = ?', (number + offset,))
    connection.close()
connection = connected()
connection.execute('pragma journal_mode=wal')
connection.execute('create table entry (id integer primary key, content blob)')
connection.close()
child = os.fork()
work(1 if child else 0)
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
connection = connected()
assert connection.execute('pragma journal_mode').fetchone()[0] == 'wal'
assert connection.execute('select count(*) from entry').fetchone()[0] == 800
`;
  const database = path.join(directory, 'database');
  await runProgram(['python3', '-c', program, database]);
  await checkSqlite(database);
};

/** A generated program of many files: built, built again after one has changed, and run. */
const make: Test = async ({ directory }) => {
  const numbers = Array.from({ length: SOURCES }, (_, number) => number);
  const declarations = numbers.map((number) => `int part${number}(void);`).join('\n');
  writeFileSync(path.join(directory, 'parts.h'), `${declarations}\n`);
  for (const number of numbers) {
    const body = `#include "parts.h"\nint part${number}(void) { return ${number}; }\n`;
    writeFileSync(path.join(directory, `part${number}.c`), body);
  }
  const sum = numbers.map((number) => `part${number}()`).join(' + ');
  const main = `#include <stdio.h>\n#include "parts.h"\nint main(void) { printf("%d\\n", ${sum}); return 0; }\n`;
  writeFileSync(path.join(directory, 'main.c'), main);
  const makefile = `objects = $(patsubst %.c,%.o,$(wildcard *.c))
program: libparts.a main.o
\t$(CC) -o $@ main.o libparts.a
libparts.a: $(filter-out main.o,$(objects))
\tar rcs $@ $?
$(objects): parts.h
`;
  writeFileSync(path.join(directory, 'Makefile'), makefile);
  await runProgram(['make', '-j2', '-C', directory]);
  await runProgram(['make', '-q', '-C', directory]);
  await runProgram(['touch', path.join(directory, 'part7.c')]);
  const rebuilt = await runProgram(['make', '-j2', '-C', directory]);
  const compiled = rebuilt.match(/ -c /g)?.length ?? 0;
  if (compiled !== 1) throw new Error(`make compiled ${compiled} files after one had changed`);
  const printed = await runProgram([path.join(directory, 'program')]);
  const expected = (SOURCES * (SOURCES - 1)) / 2;
  if (printed !== `${expected}\n`) throw new Error(`the program printed ${printed} instead of ${expected}`);
};

/** Edits with backups, in both ways of writing: a new file renamed over the old one, and in place. */
const vim: Test = async ({ directory }) => {
  for (let number = 0; number < TEXTS; number++) {
    const file = path.join(directory, `text-${number}`);
    writeFileSync(file, 'one line\n'.repeat(200 * number + 1));
    const way = number % 2 === 0 ? 'no' : 'yes';
    const words = ['-c', `set backup writebackup backupcopy=${way}`, '-c', '%s/one/another/', '-c', 'wq'];
    await runProgram(['vim', '-es', '-u', 'NONE', '-i', 'NONE', ...words, file]);
    const lines = readFileSync(file, 'utf8');
    if (lines !== 'another line\n'.repeat(200 * number + 1)) throw new Error(`text-${number} is not as edited`);
  }
  const left = readdirSync(directory).filter((name) => !/^text-\d+~?$/.test(name));
  if (left.length > 0) throw new Error(`vim left ${left.join(', ')}`);
};

const venv: Test = async ({ directory }) => {
  const environment = path.join(directory, 'venv');
  await runProgram(['python3', '-m', 'venv', environment]);
  await runProgram([path.join(environment, 'bin/pip'), 'list'], { cwd: directory });
  await runProgram([path.join(environment, 'bin/python'), '-m', 'compileall', '-q', '-f', environment]);
};

/** Packs a tree of plain files, tests the archive, unpacks it, and compares. */
const archiver =
  (pack: string, test: string, unpackThere: string): Test =>
  async ({ directory }) => {
    mkdirSync(path.join(directory, 'tree'));
    await runShell(
      `for i in $(seq 300); do mkdir -p tree/$((i % 17)); head -c $((i * 331)) /dev/urandom > tree/$((i % 17))/$i; done
       ${pack}; ${test}; mkdir back; cd back; ${unpackThere}; diff -r ../tree tree`,
      { cwd: directory },
    );
  };

interface Program {
  readonly needs: readonly string[];
  readonly test: Test;
}

const PROGRAMS: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['git', { needs: ['git'], test: git }],
  ['tar', { needs: ['tar', 'python3'], test: tar }],
  ['rsync', { needs: ['rsync'], test: rsync }],
  ['cp and mv', { needs: ['cp'], test: copyAndMove }],
  ['sqlite', { needs: ['python3'], test: sqlite }],
  ['sqlite, mapped, two processes', { needs: ['python3'], test: sqliteMapped }],
  ['gcc and make', { needs: ['gcc', 'make'], test: make }],
  ['vim', { needs: ['vim'], test: vim }],
  ['venv', { needs: ['python3'], test: venv }],
  ['zip', { needs: ['zip', 'unzip'], test: archiver('zip -qr a.zip tree', 'zip -T a.zip', 'unzip -q ../a.zip') }],
  ['7z', { needs: ['7z'], test: archiver('7z a -mx1 a.7z tree', '7z t a.7z', '7z x ../a.7z') }],
]);
const FROM_REGISTRY: ReadonlyMap<string, Test> = new Map([
  ['npm', npm],
  ['pnpm', pnpm],
]);

/** Passes where there is no registry: nothing was shown, and nothing is wrong. */
const withRegistry =
  (test: Test): Test =>
  async (place) => {
    if (!(await isRegistryReachable())) return { tests: 0, failures: [] };
    return (await test(place)) ?? undefined;
  };

export const programs: Suite = {
  name: 'programs',
  about: `${[...PROGRAMS.keys(), ...FROM_REGISTRY.keys()].join('; ')}`,
  missing: () => undefined,
  tests: () =>
    new Map([
      ...[...PROGRAMS]
        .filter(([, { needs }]) => needs.every(isInstalled))
        .map(([name, { test }]): [string, Test] => [name, test]),
      ...[...FROM_REGISTRY].map(([name, test]): [string, Test] => [name, withRegistry(test)]),
    ]),
};
