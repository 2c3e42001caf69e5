/**
 * `npm run conformance`: test suites and programs of others on real mounts, each followed by razorfsck. `--help` says how to use it.
 */
import os from 'node:os';
import { Command } from 'commander';
import { markdownTable } from '../../bench/table.js';
import { runSuite, type SuiteRun } from './run-suite.js';
import type { Suite, ToolPaths } from './suite.js';
import { fsstress } from './suites/fsstress.js';
import { fsx } from './suites/fsx.js';
import { dbench, fio, stressNg } from './suites/packaged.js';
import { pjdfstest } from './suites/pjdfstest.js';
import { postgresql } from './suites/postgresql.js';
import { programs } from './suites/programs.js';

const SUITES: readonly Suite[] = [pjdfstest, fsx, fsstress, stressNg, fio, dbench, programs, postgresql];

const BUILT = 'a tool that no distribution packages, which you have built';
const command = new Command('conformance')
  .description('Test suites and programs of others on real mounts, each followed by razorfsck. It needs root.')
  .argument('[SUITE...]', `of ${SUITES.map(({ name }) => name).join(', ')}; all that can run when none is named`)
  .option('--kill', 'each suite a second time, with the serving process killed meanwhile')
  .option('--json', 'the results as JSON')
  .option('--pjdfstest <DIR>', `${BUILT}; also by $PJDFSTEST`, process.env.PJDFSTEST)
  .option('--fsx <BIN>', `${BUILT}; also by $FSX`, process.env.FSX)
  .option('--fsstress <BIN>', `${BUILT}; also by $FSSTRESS`, process.env.FSSTRESS)
  .addHelpText('after', '\nExit codes: 0 no failures, 1 failures, 2 the command line was not understood.')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();
const values = command.opts<ToolPaths & { readonly kill?: boolean; readonly json?: boolean }>();
const { args: positionals } = command;
const tools: ToolPaths = values;
const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  command.error(`No suite is called ${unknown.join(' or ')}. There are: ${SUITES.map(({ name }) => name).join(', ')}.`);
}
if (process.getuid?.() !== 0) {
  command.error('Run it as root: the suites make device nodes and become other users.');
}

const chosen = SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const runs: SuiteRun[] = [];
const missing: string[] = [];
for (const suite of chosen) {
  const reason = suite.missing(tools);
  if (reason !== undefined) {
    missing.push(`${suite.name}: ${reason}`);
    continue;
  }
  for (const kill of values.kill === true ? [false, true] : [false]) {
    console.error(`${suite.name}${kill ? ', with kills' : ''}…`);
    const run = await runSuite(suite, tools, kill);
    for (const failure of run.failures) console.error(`  failed: ${failure}`);
    runs.push(run);
  }
}

const date = new Date().toISOString().slice(0, 10);
const kernel = os.release();
if (values.json) {
  console.log(JSON.stringify({ date, kernel, runs, missing }, null, 2));
} else {
  const withKills = ({ kills, restarts }: SuiteRun): string => (kills === 0 ? '–' : `${kills} + ${restarts}`);
  const rows = runs.map((run) => [
    `${run.suite}: ${run.about}`,
    withKills(run),
    run.tests.toLocaleString('en'),
    String(run.failures.length),
    `${run.seconds.toFixed(0)} s`,
  ]);
  console.log(`${date}, Linux ${kernel}\n`);
  console.log(markdownTable(['Suite', 'Kills + restarts', 'Tests', 'Failures', 'Time'], rows));
  for (const line of missing) console.log(`\nNot run: ${line}`);
}
// A suite that was asked for by name and cannot run is a failure.
const failed = runs.some(({ failures }) => failures.length > 0) || (positionals.length > 0 && missing.length > 0);
process.exit(failed ? 1 : 0);
