/**
 * PostgreSQL as an ordinary user, which it insists on: initdb, pgbench with several clients, and a check of every page and index
 * after the server has been stopped at once and started again.
 */
import { chownSync } from 'node:fs';
import path from 'node:path';
import type { RunOptions } from '../../../test/cli/program.js';
import { runProgram } from '../program.js';
import { installed, type Suite, type Test, type TestPlace } from '../suite.js';

const NOBODY: RunOptions = { uid: 65534, gid: 65534, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
const SCALE = 2;
const SECONDS = 15;
const CLIENTS = 4;

const work: Test = async ({ directory, scratch }: TestPlace) => {
  const programs = (await runProgram(['pg_config', '--bindir'])).trim();
  for (const owned of [directory, scratch]) chownSync(owned, NOBODY.uid!, NOBODY.gid!);
  const database = path.join(directory, 'database');
  const run = (program: string, ...words: (string | number)[]): Promise<string> =>
    runProgram([path.join(programs, program), ...words.map(String)], { ...NOBODY, cwd: directory });
  const connection = ['-h', scratch, '-U', 'tester', '-d', 'postgres'];
  const server = `-c listen_addresses= -c unix_socket_directories=${scratch}`;
  const start = () => run('pg_ctl', '-D', database, '-w', '-l', path.join(scratch, 'log'), '-o', server, 'start');
  await run('initdb', '-D', database, '-U', 'tester', '--data-checksums');
  await start();
  try {
    await run('pgbench', ...connection, '-q', '-i', '-s', SCALE);
    await run('pgbench', ...connection, '-c', CLIENTS, '-T', SECONDS);
    // No shutdown checkpoint: the next start recovers from the log.
    await run('pg_ctl', '-D', database, '-m', 'immediate', 'stop');
    await start();
    const sum = 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)';
    const consistent = await run('psql', ...connection, '-Atc', sum);
    if (consistent.trim() !== 't') throw new Error(`balances and history differ: ${consistent}`);
    await run('pg_amcheck', ...connection, '--install-missing', '--heapallindexed');
  } finally {
    await run('pg_ctl', '-D', database, '-m', 'fast', 'stop');
  }
  await run('pg_checksums', '-D', database, '--check');
};

export const postgresql: Suite = {
  name: 'postgresql',
  about: 'initdb, pgbench, a crash of the server, amcheck',
  missing: () => installed('pg_config', 'libpq-dev postgresql') ?? installed('pgbench', 'postgresql'),
  tests: () => new Map([['pgbench', work]]),
};
