/**
 * One run of a suite: a new store on a fresh mount, the suite's tests, unmounting, and razorfsck's word on what is left.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { MountedStore } from '../../test/mounted/mounted-store.js';
import { runTests, type Suite, type ToolPaths } from './suite.js';
import { WorkerKills } from './worker-kills.js';

export interface SuiteRun {
  readonly suite: string;
  readonly about: string;
  readonly tests: number;
  readonly failures: readonly string[];
  readonly seconds: number;
  /** How often the serving process was killed meanwhile, and how often it was replaced. */
  readonly kills: number;
  readonly restarts: number;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Runs a suite. With `kill` the serving process is killed every few seconds meanwhile. */
export async function runSuite(suite: Suite, tools: ToolPaths, kill: boolean): Promise<SuiteRun> {
  const teardowns: (() => Promise<void>)[] = [];
  const mounted = new MountedStore({ teardown: (handler) => teardowns.push(handler) });
  const failures: string[] = [];
  let tests = 0;
  let kills: WorkerKills | undefined;
  const startedMs = performance.now();
  try {
    // Some tests become other users, who must get as far as the mount point.
    chmodSync(mounted.directory, 0o755);
    await mounted.mounted();
    const scratch = path.join(mounted.directory, 'scratch');
    mkdirSync(scratch);
    kills = kill ? new WorkerKills(mounted) : undefined;
    const count = await runTests(suite.tests(tools), mounted.mountPoint, scratch);
    tests = count.tests;
    failures.push(...count.failures);
    await kills?.stop();
    await mounted.unmounted();
    await mounted.checked();
  } catch (error) {
    failures.push(messageOf(error));
  } finally {
    await kills?.stop().catch(() => undefined);
    for (const teardown of teardowns) await teardown().catch((error: unknown) => failures.push(messageOf(error)));
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const { name, about } = suite;
  return { suite: name, about, tests, failures, seconds, kills: kills?.kills ?? 0, restarts: kills?.restarts ?? 0 };
}
