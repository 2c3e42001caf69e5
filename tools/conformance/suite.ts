/**
 * What a suite is: a set of tests by one tool, run in an empty directory of a fresh mount.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { isInstalled } from '../../test/mounted/mounted-store.js';
import { runProgram } from './program.js';

/** Where the tools are that no distribution packages, by the names of the options that say so. */
export interface ToolPaths {
  readonly pjdfstest?: string;
  readonly fsx?: string;
  readonly fsstress?: string;
}

/** Throws with the reason when the test fails. Returns what it counts as, where that is more than one test. */
export type Test = (place: TestPlace) => Promise<Count | undefined> | Promise<void>;

export interface Count {
  readonly tests: number;
  /** A line for each failure. */
  readonly failures: readonly string[];
}

export interface TestPlace {
  /** An empty directory on the mount, for this test alone. */
  readonly directory: string;
  /** An empty directory on the host's file system. */
  readonly scratch: string;
}

export interface Suite {
  readonly name: string;
  /** What is in it, for the table. */
  readonly about: string;
  /** What is missing to run it, as advice; undefined when nothing is. */
  missing(tools: ToolPaths): string | undefined;
  /** Its tests, by name, run one after the other. Those that lack a program of theirs are left out. */
  tests(tools: ToolPaths): ReadonlyMap<string, Test>;
}

/** The advice to install a program, unless it is there. */
export const installed = (program: string, debianPackage = program): string | undefined =>
  isInstalled(program) ? undefined : `${program} is not installed (apt install ${debianPackage})`;

/** Runs every test, each in a directory of its own, and counts. */
export async function runTests(tests: ReadonlyMap<string, Test>, mounted: string, scratch: string): Promise<Count> {
  const failures: string[] = [];
  let total = 0;
  for (const [name, test] of tests) {
    const word = name.replace(/\W+/g, '-');
    const place = { directory: path.join(mounted, word), scratch: path.join(scratch, word) };
    mkdirSync(place.directory);
    mkdirSync(place.scratch);
    try {
      const count = (await test(place)) ?? { tests: 1, failures: [] };
      total += count.tests;
      failures.push(...count.failures.map((failure) => `${name}: ${failure}`));
    } catch (error) {
      total++;
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    // What a test leaves behind is removed by the file system under test, as its users would.
    await runProgram(['rm', '-rf', place.directory]).catch((error: unknown) => failures.push(`${name}: ${error}`));
  }
  return { tests: total, failures };
}
