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
import type { Amounts, ApplicationAmounts } from './amounts.js';
import { type Material, makeMaterial, measureApplications } from './applications.js';
import type { Conditions } from './conditions.js';
import { ROW_KEYS, type RowKey } from './rows.js';
import { measureFiles } from './small-and-large.js';

const run = promisify(execFile);

export interface CompareOptions {
  readonly directory: string;
  readonly targets: readonly Target[];
  readonly rounds: number;
  readonly amounts: Amounts;
  /** Undefined: without the rows of real programs. */
  readonly applications: ApplicationAmounts | undefined;
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
    const material = options.applications && (await makeMaterial(path.join(place, 'material'), options.applications));
    for (let round = 0; round < options.rounds; round++) {
      for (let turn = 0; turn < results.length; turn++) {
        if (options.interrupted.aborted) return results;
        const result = results[(turn + round) % results.length];
        options.progress(`round ${round + 1} of ${options.rounds}: ${result.name}`);
        await measureTarget(result, path.join(place, 'target'), material, options);
      }
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
  return results;
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
  async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const line = (error instanceof Error ? error.message : String(error)).split('\n')[0];
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
  await result.attempt(async () => {
    const running = await result.target.start(place);
    const { directory } = running;
    const conditions: Conditions = {
      dropCache: options.dropCache,
      settle: async () => {
        await run('sync', ['-f', directory]);
        await run('sync', ['-f', place]);
      },
    };
    await result.attempt(() => measureFiles(directory, options.amounts, conditions, record));
    if (material !== undefined && options.applications !== undefined) {
      const { applications } = options;
      await result.attempt(() => measureApplications(directory, material, applications, conditions, record));
    }
    await running.stop();
  });
  rmSync(place, { recursive: true, force: true });
}
