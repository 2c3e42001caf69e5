/**
 * The load generator in client/, compiled when it is needed, and run once for each measurement.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.js';

const run = promisify(execFile);

const SOURCES = path.join(ROOT, 'bench/client');
const PROGRAM = path.join(ROOT, 'build/bench-client');

export type Work =
  | 'create'
  | 'create-fsync'
  | 'stat'
  | 'lookup'
  | 'read'
  | 'list'
  | 'list-stat'
  | 'rename'
  | 'rename-back'
  | 'unlink'
  | 'mixed'
  | 'write-large'
  | 'read-large'
  | 'random-read'
  | 'random-write'
  | 'append'
  | 'verify-append'
  | 'probe';

export interface WorkOptions {
  /** Processes that share the work. */
  readonly clients?: number;
  /** The number of the first file. */
  readonly start?: number;
  /** Random choices are made among this many files or pages; as many as the count when it is not given. */
  readonly span?: number;
  /** The size of small files, a multiple of 8; 4096 when it is not given. */
  readonly fileBytes?: number;
  /** What names of files begin with: `f` when it is not given, `r` after the work `rename`. */
  readonly prefix?: string;
  /** Files lie in a tree of directories of 100 entries, instead of all in one directory. */
  readonly tree?: boolean;
}

export interface WorkResult {
  readonly nanoseconds: number;
  readonly operations: number;
  readonly longestNanoseconds: number;
}

/** Compiles the client unless it is newer than its sources. Throws when there is no compiler. */
export async function prepareClient(): Promise<void> {
  const sources = readdirSync(SOURCES).map((name) => path.join(SOURCES, name));
  const built = statSync(PROGRAM, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sources.every((source) => statSync(source).mtimeMs < built)) return;
  mkdirSync(path.dirname(PROGRAM), { recursive: true });
  const output = `${PROGRAM}.${process.pid}`;
  await run(process.env.CC ?? 'cc', ['-O2', '-o', output, ...sources.filter((source) => source.endsWith('.c'))]);
  renameSync(output, PROGRAM);
}

export interface RunningWork {
  /** Rejects with what the client says when anything is wrong. */
  readonly result: Promise<WorkResult>;
  /** Ends a work that goes on for as long as it is let. */
  stop(): Promise<WorkResult>;
}

/** Does `count` operations of one kind of work in a directory. Throws with what the client says when anything is wrong. */
export const work = (name: Work, directory: string, count: number, options?: WorkOptions): Promise<WorkResult> =>
  beginWork(name, directory, count, options).result;

/** Begins the same, and does not wait for its end. */
export function beginWork(name: Work, directory: string, count: number, options: WorkOptions = {}): RunningWork {
  const words = [name, directory, String(count), '-c', String(options.clients ?? 1), '-s', String(options.start ?? 0)];
  if (options.span !== undefined) words.push('-n', String(options.span));
  if (options.fileBytes !== undefined) words.push('-b', String(options.fileBytes));
  if (options.prefix !== undefined) words.push('-p', options.prefix);
  if (options.tree) words.push('-t');
  const running = run(PROGRAM, words);
  const result = running.then(
    ({ stdout }) => {
      const [nanoseconds, operations, longestNanoseconds] = stdout.trim().split(' ').map(Number);
      return { nanoseconds, operations, longestNanoseconds };
    },
    (error: { stderr?: string; message: string }) => {
      const said = error.stderr?.trim().replaceAll(`${directory}/`, '');
      throw new Error(`${name}: ${said || error.message}`);
    },
  );
  return {
    result,
    stop() {
      running.child.kill('SIGTERM');
      return result;
    },
  };
}
