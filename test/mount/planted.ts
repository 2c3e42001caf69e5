/** Code planted into serving processes: for faults that the test's own machine does not have. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Test } from 'tap';

/** Runs with a module, given as its source, that every process of Node started meanwhile loads before anything else. */
export async function withPlanted<Result>(t: Test, source: string, body: () => Promise<Result>): Promise<Result> {
  const planted = path.join(t.testdir(), 'planted.mjs');
  writeFileSync(planted, source);
  const before = process.env.NODE_OPTIONS;
  // As a URL: the words of NODE_OPTIONS end at spaces.
  process.env.NODE_OPTIONS = `--import=${pathToFileURL(planted)}`;
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
