/**
 * The comparison: every target in turn, and again, each time from an empty place, in a rotating order. Rounds are interleaved so
 * that a slow moment of the machine falls on all targets alike; only ratios within one run say anything.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { DropCache } from '../host.js';
import type { Target } from '../targets/target.js';
import { warmUp } from '../warm-up.js';
import type { Amounts, ApplicationAmounts } from './amounts.js';
import { applicationParts, type Material, makeMaterial } from './applications.js';
import type { Conditions } from './conditions.js';
import { ROW_KEYS, type RowKey } from './rows.js';
import { fileParts } from './small-and-large.js';

const run = promisify(execFile);

export interface CompareOptions {
  readonly directory: string;
  readonly targets: readonly Target[];
  readonly rounds: number;
  readonly amounts: Amounts;
  /** The rows of real programs take longer and scatter less: they are measured in this many of the rounds. */
  readonly applicationRounds: number;
  readonly applications: ApplicationAmounts;
  readonly dropCache: DropCache;
  /** Aborted: what is under way is brought to an end, and nothing more is begun. */
  readonly interrupted: AbortSignal;
  readonly progress: (line: string) => void;
}

export interface TargetFigures {
  readonly name: string;
  readonly how: string;
  /** The values of each round that went well. */
  readonly values: Readonly<Record<RowKey, number[]>>;
  /** What went wrong, a line each. */
  readonly failures: readonly string[];
}

export async function compare(options: CompareOptions): Promise<TargetFigures[]> {
  const place = path.join(options.directory, `compare-${process.pid}`);
  mkdirSync(place, { recursive: true });
  const results = options.targets.map((target) => new Result(target));
  try {
    const material = await makeMaterial(path.join(place, 'material'), options.applications);
    for (let round = 0; round < options.rounds; round++) {
      for (let turn = 0; turn < results.length; turn++) {
        if (options.interrupted.aborted) return results;
        const result = results[(turn + round) % results.length];
        const startedMs = performance.now();
        const applications = round < options.applicationRounds ? material : undefined;
        await measureTarget(result, path.join(place, 'target'), applications, options);
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
        options.progress(`round ${round + 1} of ${options.rounds}: ${result.name}, ${seconds} s`);
      }
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
  return results;
}

/** The first line of what went wrong, with paths as they are in every round. */
function failureLine(error: unknown, place: string): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replaceAll(`${place}/`, '');
}

class Result implements TargetFigures {
  readonly target: Target;
  readonly name: string;
  readonly how: string;
  readonly values = Object.fromEntries(ROW_KEYS.map((key) => [key, [] as number[]])) as Record<RowKey, number[]>;
  readonly failures: string[] = [];

  constructor(target: Target) {
    this.target = target;
    this.name = target.name;
    this.how = target.how;
  }

  /** Runs a part of the measurement; what goes wrong is kept and ends that part only. */
  async attempt(place: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const line = failureLine(error, place);
      if (!this.failures.includes(line)) this.failures.push(line);
    }
  }
}

async function measureTarget(
  result: Result,
  place: string,
  material: Material | undefined,
  options: CompareOptions,
): Promise<void> {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  const record = (row: RowKey, value: number): void => void result.values[row].push(value);
  await result.attempt(place, async () => {
    const running = await result.target.start(place);
    const { directory } = running;
    const conditions: Conditions = {
      dropCache: options.dropCache,
      settle: async () => {
        await run('sync', ['-f', directory]);
        await run('sync', ['-f', place]);
      },
    };
    await warmUp(directory, options.amounts.warmUpFiles);
    const parts = fileParts(directory, options.amounts, conditions, record);
    if (material !== undefined)
      parts.push(...applicationParts(directory, material, options.applications, conditions, record));
    for (const part of parts) if (!options.interrupted.aborted) await result.attempt(place, part);
    await running.stop();
  });
  rmSync(place, { recursive: true, force: true });
}
