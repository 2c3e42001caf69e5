/**
 * What razorfsck prints: findings on standard output as they are made, progress on standard error when that is a terminal. With
 * `--json` everything is one JSON object a line.
 */
import type { CheckResult } from '../check/check.js';
import { type Finding, findingLine } from '../check/findings.js';
import { StoreError } from '../errors/store-error.js';
import { formatBytes, formatNumberOf } from './quantities.js';

/** Shorter work shows no progress. */
const PROGRESS_AFTER_MS = 2_000;
const PROGRESS_INTERVAL_MS = 200;

export interface ReportOptions {
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

export class CheckReport {
  readonly #options: ReportOptions;
  readonly #progress: ProgressLine;

  constructor(options: ReportOptions) {
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

  /** What a repair will do, before it does it. */
  plan(steps: readonly string[], backup: string): void {
    this.#progress.clear();
    this.object({ type: 'plan', steps, backup });
    if (this.#options.json) return;
    process.stdout.write(`\nThe repair will\n${steps.map((step) => `  - ${step}\n`).join('')}`);
    process.stdout.write(
      `What it replaces is copied to ${backup} first. Until all is written, the store stays as it is.\n\n`,
    );
  }

  /** What the check came to; the last thing that is printed. */
  summary(store: string, result: CheckResult, exitCode: number, advice = ''): void {
    this.#progress.clear();
    const { superblock, findings, log, totals, catalog } = result;
    const { errors, notes } = findings;
    const { inodes, dataBytes } = totals;
    this.object({
      type: 'summary',
      store,
      uuid: superblock.uuid,
      label: superblock.label,
      clean: superblock.clean,
      errors,
      notes,
      volumes: catalog.volumes.length,
      snapshots: catalog.snapshots.length,
      inodes,
      dataBytes,
      pendingOperations: log.pending,
      exitCode,
    });
    this.line(`${store}: ${inodes} files and directories, ${formatBytes(dataBytes)}${othersOf(result)}`);
    if (advice !== '') this.line(advice);
    if (errors === 0) this.line('OK');
    else if (!this.#options.json) process.stdout.write(`${formatNumberOf(errors, 'error')}\n`);
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

/** Volumes and snapshots, where there is more than the one volume that every store has. */
function othersOf({ catalog: { volumes, snapshots } }: CheckResult): string {
  const more = volumes.length > 1 ? `, in ${formatNumberOf(volumes.length, 'volume')}` : '';
  return snapshots.length === 0 ? more : `${more}, ${formatNumberOf(snapshots.length, 'snapshot')}`;
}

const unexpected = (error: unknown): { code: string; message: string; advice: string } => {
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'unexpected', message: `The check failed: ${message}.`, advice: '' };
};
