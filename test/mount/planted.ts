/** Code planted into serving processes: for faults that the test's own machine does not have. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';

/** Runs with a module, given as its source, that every process of Node started meanwhile loads before anything else. */
export async function withPlanted<Result>(t: Test, source: string, body: () => Promise<Result>): Promise<Result> {
  const planted = path.join(t.testdir(), 'planted.mjs');
  writeFileSync(planted, source);
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--import=${planted}`;
  try {
    return await body();
  } finally {
    if (before === undefined) {
      delete process.env.NODE_OPTIONS;
    } else {
      process.env.NODE_OPTIONS = before;
    }
  }
}
