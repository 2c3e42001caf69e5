/**
 * The rows that real programs measure on one target: git, npm, tar, find, rm, sqlite. Each is left out where its program is not
 * installed. What they work on is made once, on the host.
 */
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../root.js';
import type { ApplicationAmounts } from './amounts.js';
import type { Conditions } from './conditions.js';
import type { Record } from './small-and-large.js';

const run = promisify(execFile);

/** What the programs work on: an archive, a git repository. */
export interface Material {
  readonly archive: string;
  readonly archiveFiles: number;
  readonly repository: string | undefined;
}

const FILES_PER_DIRECTORY = 40;
const GIT_IDENTITY = ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', '-c', 'gc.auto=0'];

/** Makes the material in `place`. Sizes and contents are the same in each run. */
export async function makeMaterial(place: string, amounts: ApplicationAmounts): Promise<Material> {
  mkdirSync(place, { recursive: true });
  const tree = path.join(place, 'tree');
  writeTree(tree, amounts.archiveFiles);
  const archive = path.join(place, 'tree.tar');
  await run('tar', ['-C', place, '-cf', archive, 'tree']);
  rmSync(tree, { recursive: true });
  return { archive, archiveFiles: amounts.archiveFiles, repository: await makeRepository(place, amounts) };
}

/** Files of 100 bytes to 12 KiB, most of them small, in directories of a few dozen. */
function writeTree(directory: string, files: number): void {
  for (let i = 0; i < files; i++) {
    const below = path.join(directory, `d${Math.floor(i / FILES_PER_DIRECTORY / 20)}`);
    const leaf = path.join(below, `e${Math.floor(i / FILES_PER_DIRECTORY) % 20}`);
    if (i % FILES_PER_DIRECTORY === 0) mkdirSync(leaf, { recursive: true });
    const size = 100 + ((i * 7919) % 113) ** 2;
    writeFileSync(
      path.join(leaf, `file-${i}.txt`),
      `line ${i} of the text\n`.repeat(Math.ceil(size / 20)).slice(0, size),
    );
  }
}

async function makeRepository(place: string, amounts: ApplicationAmounts): Promise<string | undefined> {
  const repository = path.join(place, 'repository');
  writeTree(repository, amounts.repositoryFiles);
  try {
    await run('git', [...GIT_IDENTITY, 'init', '-q', repository]);
    await run('git', [...GIT_IDENTITY, '-C', repository, 'add', '.']);
    await run('git', [...GIT_IDENTITY, '-C', repository, 'commit', '-q', '-m', 'all']);
    return repository;
  } catch {
    return undefined;
  }
}

async function seconds(action: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await action();
  return (performance.now() - startedMs) / 1000;
}

/** The programs' work on a target's directory, in parts that do not need each other. */
export function applicationParts(
  directory: string,
  material: Material,
  amounts: ApplicationAmounts,
  conditions: Conditions,
  record: Record,
): (() => Promise<void>)[] {
  const { repository } = material;
  const sqlite = (row: 'sqliteSync' | 'sqliteNoSync', synchronous: 'FULL' | 'OFF', inserts: number) => () =>
    sqliteWork(path.join(directory, `${row}.db`), synchronous, inserts, conditions, (rate) => record(row, rate));
  const parts = [
    () => archiveWork(directory, material, conditions, record),
    sqlite('sqliteSync', 'FULL', amounts.syncedInserts),
    sqlite('sqliteNoSync', 'OFF', amounts.unsyncedInserts),
  ];
  if (repository !== undefined) parts.push(() => gitWork(directory, repository, conditions, record));
  if (amounts.npm) parts.push(() => npmWork(path.join(directory, 'package'), conditions, record));
  return parts;
}

async function archiveWork(place: string, material: Material, conditions: Conditions, record: Record): Promise<void> {
  await conditions.settle();
  const extracted = await seconds(() => run('tar', ['-C', place, '-xf', material.archive]));
  const tree = path.join(place, 'tree');
  await verifyExtracted(place, material.archive);
  record('untar', extracted);
  await conditions.dropCache('names');
  const find = () => run('find', [tree, '-type', 'f', '-size', '+0'], { maxBuffer: 1 << 28 });
  let found = '';
  const elapsed = await seconds(async () => {
    found = (await find()).stdout;
  });
  const count = found.split('\n').length - 1;
  if (count !== material.archiveFiles) throw new Error(`find saw ${count} files, not ${material.archiveFiles}`);
  record('find', elapsed);
  await conditions.settle();
  record('removeTree', await seconds(() => run('rm', ['-rf', tree])));
}

/** Compares with the archive what was extracted. Modes, owners and times count for nothing here: not every peer keeps them. */
async function verifyExtracted(place: string, archive: string): Promise<void> {
  const command = 'tar -C "$1" -df "$2" 2>&1 | grep -vE ": (Mode|Uid|Gid|Mod time) differs$" | head -n 5';
  const { stdout } = await run('sh', ['-c', command, 'sh', place, archive]);
  if (stdout !== '') throw new Error(`what was extracted is not what is in the archive: ${stdout.trim()}`);
}

async function gitWork(place: string, repository: string, conditions: Conditions, record: Record): Promise<void> {
  const clone = path.join(place, 'clone');
  await conditions.settle();
  const elapsed = await seconds(async () => {
    await run('git', [...GIT_IDENTITY, 'clone', '-q', `file://${repository}`, clone]);
    const { stdout } = await run('git', ['-C', clone, 'status', '--porcelain']);
    if (stdout !== '') throw new Error(`git status is not clean: ${stdout.slice(0, 200)}`);
  });
  record('gitClone', elapsed);
  rmSync(clone, { recursive: true });
}

/** The packages that this project runs with, from npm's cache: left out where that does not have them. */
async function npmWork(place: string, conditions: Conditions, record: Record): Promise<void> {
  mkdirSync(place);
  for (const name of ['package.json', 'package-lock.json']) cpSync(path.join(ROOT, name), path.join(place, name));
  await conditions.settle();
  try {
    const words = ['ci', '--omit=dev', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const elapsed = await seconds(() => run('npm', words, { cwd: place }));
    if (!existsSync(path.join(place, 'node_modules/typescript/package.json')))
      throw new Error('npm ci left out packages');
    record('npmInstall', elapsed);
  } catch (error) {
    if (!/ENOTCACHED|ENOENT/.test(String(error))) throw error;
  }
  rmSync(place, { recursive: true });
}

/** Rows added by a transaction each. */
async function sqliteWork(
  file: string,
  synchronous: 'FULL' | 'OFF',
  inserts: number,
  conditions: Conditions,
  record: (rate: number) => void,
): Promise<void> {
  const script = [
    `PRAGMA synchronous=${synchronous};`,
    'CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT);',
    ...Array.from({ length: inserts }, (_, i) => `INSERT INTO items VALUES (${i}, 'the text of item ${i}');`),
    'SELECT count(*) FROM items;',
    'PRAGMA integrity_check;',
  ].join('\n');
  await conditions.settle();
  let output = '';
  try {
    const elapsed = await seconds(async () => {
      output = await fed('sqlite3', ['-bail', file], script);
    });
    if (output.trim() !== `${inserts}\nok`) throw new Error(`sqlite says: ${output.slice(0, 200)}`);
    record(inserts / elapsed);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
}

/** Runs a program with a text on its standard input; returns its output. */
function fed(program: string, words: readonly string[], text: string): Promise<string> {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`${program} ended with ${code}`))));
    child.stdin.on('error', () => undefined);
    child.stdin.end(text);
  });
}
