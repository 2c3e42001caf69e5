/**
 * The `razorfsck` program: checks a store that is not mounted, and repairs it when asked to. Exits as fsck(8) does.
 *
 * Findings go to standard output as they are made, progress to standard error when that is a terminal.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { type CheckResult, checkStore } from '../check/check.js';
import { type Finding, findingLine } from '../check/findings.js';
import { StoreError } from '../errors/store-error.js';
import { directoryState, notAStore } from '../mount/store-directory.js';
import { explainStoreFailure } from '../mount/store-failure.js';
import { HostDisk } from '../store/host-disk.js';
import { StoreLock } from '../store/lock.js';
import { formatBytes } from './quantities.js';

/** fsck(8) */
const EXIT = { ok: 0, corrected: 1, uncorrected: 4, operational: 8, usage: 16 } as const;

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** Shorter work shows no progress. */
const PROGRESS_AFTER_MS = 2_000;
const PROGRESS_INTERVAL_MS = 200;

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

interface Options {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Progress on a line of its own, which the next output removes. */
class ProgressLine {
  readonly #enabled: boolean;
  #nextMs = performance.now() + PROGRESS_AFTER_MS;
  #shown = false;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  show(stage: string, done: number, total: number): void {
    if (!this.#enabled || performance.now() < this.#nextMs) return;
    this.#nextMs = performance.now() + PROGRESS_INTERVAL_MS;
    const amount = total > 0 ? `${Math.floor((done * 100) / total)} %` : String(done);
    process.stderr.write(`\r\x1b[K${stage}: ${amount}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
    this.#shown = false;
  }
}

class Report {
  readonly #options: Options;
  readonly #progress: ProgressLine;

  constructor(options: Options) {
    this.#options = options;
    this.#progress = new ProgressLine(process.stderr.isTTY === true && options.quiet !== true);
  }

  readonly onFinding = (finding: Finding): void => {
    this.#progress.clear();
    if (this.#options.json) this.object({ type: 'finding', ...finding });
    else if (finding.severity === 'error' || !this.#options.quiet) process.stdout.write(`${findingLine(finding)}\n`);
  };

  readonly onProgress = (stage: string, done: number, total: number): void => this.#progress.show(stage, done, total);

  /** A line for people, left out with --quiet. */
  line(text: string): void {
    this.#progress.clear();
    if (!this.#options.json && !this.#options.quiet) process.stdout.write(`${text}\n`);
  }

  object(value: object): void {
    if (this.#options.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** What the check came to; the last thing that is printed. */
  summary(store: string, result: CheckResult, exitCode: number): void {
    this.#progress.clear();
    const { superblock, findings, log, survey, dataBytes } = result;
    const [errors, notes, inodes] = [findings.errors, findings.notes, survey.table.length];
    this.object({
      type: 'summary',
      store,
      uuid: superblock.uuid,
      label: superblock.label,
      clean: superblock.clean,
      errors,
      notes,
      inodes,
      dataBytes,
      pendingOperations: log.pending,
      exitCode,
    });
    this.line(`${store}: ${inodes} files and directories, ${formatBytes(dataBytes)}`);
    if (errors === 0) this.line('OK');
    else if (!this.#options.json) process.stdout.write(`${errors} ${errors === 1 ? 'error' : 'errors'}\n`);
  }

  failure(error: unknown): void {
    this.#progress.clear();
    const { code, message, advice } = error instanceof StoreError ? error : unexpected(error);
    this.object({ type: 'failure', code, message, advice });
    if (this.#options.json) return;
    process.stderr.write(`razorfsck: ${message}\n`);
    if (advice !== '') process.stderr.write(`  ${advice}\n`);
  }
}

const unexpected = (error: unknown): { code: string; message: string; advice: string } => {
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'unexpected', message: `The check failed: ${message}.`, advice: '' };
};

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

async function run(store: string, options: Options): Promise<number> {
  const report = new Report(options);
  try {
    requireStore(store);
    const lock = StoreLock.acquire(store, 'razorfsck', '');
    try {
      const bootId = readFileSync(BOOT_ID, 'latin1').trim().replaceAll('-', '');
      const { onFinding, onProgress } = report;
      const disk = new HostDisk(store, { readOnly: true });
      const result = await checkStore(disk, { bootId, onFinding, onProgress });
      const exitCode = result.findings.errors === 0 ? EXIT.ok : EXIT.uncorrected;
      report.summary(store, result, exitCode);
      return exitCode;
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
    .description('Check a RazorFS store.')
    .argument('<STORE>', 'the directory of a store that is not mounted')
    .option('--json', 'print one JSON object a line: findings as they are made, then a summary')
    .option('-q, --quiet', 'print errors only')
    .helpOption('-h, --help', 'explain the program')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`razorfsck: ${text.replace(/^error: /, '')}`) })
    .action(async (store: string, options: Options) => {
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

process.exitCode = await main();
