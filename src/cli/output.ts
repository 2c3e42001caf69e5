/**
 * What commands print. Results go to standard output, as text for people or, with `--json`, as one JSON value; warnings and
 * errors go to standard error. With `--json` an error is also the JSON value `{"error": {code, message, advice}}`.
 */
import { constants } from 'node:os';
import { type ExitCode, exitCodeOf } from './exit-codes.js';

/** Options that every command has. */
export interface OutputOptions {
  readonly json?: boolean;
}

/** A refusal, whichever layer it comes from: a stable code, one sentence, and what to do next. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

/** Prints `value` as JSON when that is asked for, otherwise the lines. */
export function printResult(options: OutputOptions, value: object, lines: readonly string[]): void {
  process.stdout.write(
    options.json ? `${JSON.stringify(value, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''),
  );
}

/** Prints a warning that cannot be missed: set off by blank lines, marked at each line, in colour on a terminal. */
export function printWarning(lines: readonly string[]): void {
  const mark = process.stderr.isTTY ? '\x1b[1;33mWARNING\x1b[0m' : 'WARNING';
  process.stderr.write(`\n${lines.map((line) => `${mark}  ${line}\n`).join('')}\n`);
}

/** Prints why a command failed, and returns the exit code for it. */
export function printError(options: OutputOptions, error: unknown): ExitCode {
  const refusal = asRefusal(error);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ error: refusal }, null, 2)}\n`);
  } else {
    process.stderr.write(`razorfs: ${refusal.message}\n`);
    if (refusal.advice !== '') {
      process.stderr.write(`  ${refusal.advice.replaceAll('\n', '\n  ')}\n`);
    }
  }
  return exitCodeOf(error, refusal.code);
}

function asRefusal(error: unknown): Refusal {
  if (!(error instanceof Error)) {
    return { code: 'unexpected', message: String(error), advice: '' };
  }
  const code = 'code' in error ? String(error.code) : 'unexpected';
  if ('advice' in error) {
    return { code, message: error.message, advice: String(error.advice) };
  }
  return { code, message: error.message.endsWith('.') ? error.message : `${error.message}.`, advice: '' };
}

/**
 * The end for a program whose output cannot go anywhere: quiet, as SIGPIPE is, where it goes to a pipe that nobody reads any more, such as
 * `head`.
 */
export function endWhenOutputFails(exitCode: number): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
    process.stderr.write(`Standard output cannot be written: ${error.code}.\n`);
    process.exit(exitCode);
  });
}
