/**
 * The `razorfsck` program: checks a store that is not mounted, and repairs it when asked to. Exits as fsck(8) does.
 * What it prints is in check-report.ts.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command, CommanderError } from 'commander';
import { type CheckResult, checkStore } from '../check/check.js';
import { backupDirectory, planRepair, repairStore } from '../check/repair.js';
import { StoreError } from '../errors/store-error.js';
import { directoryState, notAStore } from '../mount/store-directory.js';
import { explainStoreFailure } from '../mount/store-failure.js';
import { HostDisk } from '../store/host-disk.js';
import { StoreLock } from '../store/lock.js';
import { CheckReport, type ReportOptions } from './check-report.js';
import { endWhenOutputFails } from './output.js';
import { formatNumberOf } from './quantities.js';

/** fsck(8) */
const EXIT = { ok: 0, corrected: 1, uncorrected: 4, operational: 8, usage: 16 } as const;

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

const HELP = `
A store that is mounted is refused: unmount it first. Without --repair nothing is changed.

A store that was not unmounted properly is no error: the operations that wait in its log are applied by the next mount,
and everything is checked as of the last checkpoint.

Exit codes, as fsck(8):
   0  no errors
   1  errors were found and corrected
   4  errors are left
   8  the check could not be made
  16  the command line is wrong`;

interface Options extends ReportOptions {
  readonly repair?: boolean;
  readonly yes?: boolean;
  readonly discardLog?: boolean;
}

/** Checks that a directory is a store, before anything in it is touched. Throws StoreError. */
function requireStore(store: string): void {
  const state = directoryState(store);
  if (state === 'other') throw notAStore(store);
  if (state !== 'store') {
    throw new StoreError(
      'not-a-store',
      state === 'missing' ? `${store} does not exist.` : `${store} is empty: there is no store in it.`,
      'Name the directory of a store; `razorfs status` lists those that are mounted.',
    );
  }
}

function explain(store: string, error: unknown): unknown {
  const explained = explainStoreFailure(store, error);
  if (explained instanceof StoreError && explained.code === 'unusable-superblock') {
    return new StoreError(explained.code, explained.message, 'It cannot be repaired: restore the store from a backup.');
  }
  return explained;
}

/** Checks `store`, whose lock is held, and repairs it if that is asked for. Returns the exit code. */
async function checkAndRepair(store: string, options: Options, report: CheckReport): Promise<number> {
  const bootId = readFileSync(BOOT_ID, 'latin1').trim().replaceAll('-', '');
  const { onFinding, onProgress } = report;
  const check = (): Promise<CheckResult> =>
    checkStore(new HostDisk(store, { readOnly: true }), { bootId, onFinding, onProgress });
  const result = await check();
  const { errors } = result.findings;
  const discardsLog = options.discardLog === true && result.log.pending > 0;
  if (options.repair !== true || (errors === 0 && !discardsLog)) {
    const exitCode = errors === 0 ? EXIT.ok : EXIT.uncorrected;
    report.summary(store, result, exitCode, errors > 0 ? adviceOnErrors(store, result) : '');
    return exitCode;
  }
  const plan = planRepair(result, discardsLog);
  if (result.log.pending > 0 && !discardsLog && !plan.cutsLog) throw logWaits(store, result);
  if (result.readFailures > 0) throw diskFails(store, result);
  const now = Date.now();
  report.plan(plan.steps, `${store}/${backupDirectory(now)}`);
  if (options.yes !== true && !(await confirmed(store, options))) {
    report.summary(store, result, EXIT.uncorrected);
    return EXIT.uncorrected;
  }
  await repairStore(new HostDisk(store), result, plan, now);
  report.line('Repaired. Checking again.');
  const after = await check();
  const exitCode = after.findings.errors === 0 ? EXIT.corrected : EXIT.uncorrected;
  report.summary(store, after, exitCode);
  return exitCode;
}

const adviceOnErrors = (store: string, result: CheckResult): string =>
  result.log.pending > 0 && !result.findings.has('log')
    ? `Mount the store, which replays its log, unmount it and check again; if it cannot be mounted: razorfsck --repair --discard-log ${store}`
    : `Repair it with \`razorfsck --repair ${store}\`, which first says what it will do; or restore it from a backup.`;

const logWaits = (store: string, result: CheckResult): StoreError =>
  new StoreError(
    'damaged',
    `The store ${store} is not repaired: ${result.log.pending} operations wait in its log.`,
    `Mount and unmount it, which replays them, then try again. If it cannot be mounted, \`razorfsck --repair --discard-log ${store}\` gives them up.`,
  );

const diskFails = (store: string, result: CheckResult): StoreError =>
  new StoreError(
    'io-error',
    `The store ${store} is not repaired: its disk failed to read ${formatNumberOf(result.readFailures, 'place')}.`,
    'Copy the store to another disk and repair the copy. The kernel log (dmesg) may say more.',
  );

/** Asks on the terminal. Throws StoreError when there is none. */
async function confirmed(store: string, options: Options): Promise<boolean> {
  if (options.json || !process.stdin.isTTY || !process.stdout.isTTY) {
    throw new StoreError(
      'damaged',
      `Nothing in ${store} was changed: there is no terminal to ask on.`,
      'Add --yes to repair without being asked.',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Repair the store? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}

async function run(store: string, options: Options): Promise<number> {
  const report = new CheckReport(options);
  try {
    requireStore(store);
    const lock = StoreLock.acquire(store, 'razorfsck', '');
    try {
      return await checkAndRepair(store, options, report);
    } finally {
      lock.release();
    }
  } catch (error) {
    const explained = explain(store, error);
    report.failure(explained);
    return explained instanceof StoreError && explained.code === 'unusable-superblock'
      ? EXIT.uncorrected
      : EXIT.operational;
  }
}

async function main(): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('razorfsck')
    .description('Check a RazorFS store, and repair it.')
    .argument('<STORE>', 'the directory of a store that is not mounted')
    .option('--json', 'print one JSON object a line: findings as they are made, then a summary')
    .option('-q, --quiet', 'print errors only')
    .option('--repair', 'say what will be done, ask, and mend what can be mended without inventing data')
    .option('-y, --yes', 'with --repair: do not ask')
    .option('--discard-log', 'with --repair: give up operations that wait in a log, when mounting fails')
    .helpOption('-h, --help', 'explain the program')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`razorfsck: ${text.replace(/^error: /, '')}`) })
    .action(async (store: string, options: Options, command: Command) => {
      if (options.repair !== true && (options.yes === true || options.discardLog === true)) {
        command.error('error: --yes and --discard-log go with --repair.');
      }
      exitCode = await run(path.resolve(store), options);
    });
  try {
    await program.parseAsync(process.argv.slice(2), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

endWhenOutputFails(EXIT.operational);
process.exitCode = await main();
