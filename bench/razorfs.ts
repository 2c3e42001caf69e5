/**
 * RazorFS as the benches use it: by its commands, as a user would, so that what they measure is what users get.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { MountReport } from '../src/mount/mount-request.js';
import type { MountState } from '../src/mount/survey.js';
import type { StoreStatus } from '../src/volume/options.js';
import { isRunning, until } from './host.js';
import { ROOT } from './root.js';

const run = promisify(execFile);

const COMMAND = path.join(ROOT, 'build/src/cli/razorfs.js');
const CHECKER = path.join(ROOT, 'build/src/cli/razorfsck.js');

async function razorfs(words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [COMMAND, ...words]).catch(
    (error: { stdout?: string; stderr?: string; message: string }) => {
      throw new Error(`razorfs ${words.join(' ')}: ${`${error.stdout}${error.stderr}`.trim() || error.message}`);
    },
  );
  return stdout;
}

export interface Mounted extends MountReport {
  /** From the start of the command to its end, in milliseconds: what a user waits. */
  readonly milliseconds: number;
}

export async function mount(mountPoint: string, store: string, words: readonly string[] = []): Promise<Mounted> {
  const startedMs = performance.now();
  const output = await razorfs([mountPoint, '--store', store, '--json', ...words]);
  return { ...(JSON.parse(output) as MountReport), milliseconds: performance.now() - startedMs };
}

/** Unmounts; returns the milliseconds until the store was clean. Also takes away a mount whose daemon is dead. */
export async function umount(mountPoint: string): Promise<number> {
  const startedMs = performance.now();
  await razorfs(['umount', mountPoint]);
  return performance.now() - startedMs;
}

export async function status(mountPoint: string): Promise<StoreStatus> {
  const { mounts } = JSON.parse(await razorfs(['status', '--json', mountPoint])) as { mounts: MountState[] };
  const [state] = mounts;
  if (state?.state !== 'mounted') throw new Error(`${mountPoint} is ${state?.state ?? 'not mounted'}`);
  return state.status.volume;
}

/** Runs razorfsck on a store that is not mounted. Throws with its findings unless it says OK. */
export async function check(store: string): Promise<void> {
  if (!existsSync(CHECKER)) return;
  await run(process.execPath, [CHECKER, store]).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`razorfsck found damage in ${store}: ${error.stdout}${error.stderr}`);
  });
}

/** proc_pid_stat(5): after the command's name in parentheses come state, parent and process group. */
const groupOf = (pid: number | string): number =>
  Number(/^.*\) \S+ \d+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);

/** The processes of a mount: the one that serves, and the others of its process group, which watch over it. */
export function processesOf(mounted: Mounted): number[] {
  const group = groupOf(mounted.pid);
  const pids: number[] = [];
  for (const name of readdirSync('/proc')) {
    try {
      if (/^\d+$/.test(name) && groupOf(name) === group) pids.push(Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return pids;
}

/** Kills all processes of a mount at once, and takes away the dead mount. */
export async function killEverything(mounted: Mounted): Promise<void> {
  const pids = processesOf(mounted);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('the daemon has ended', () => !pids.some(isRunning));
  await umount(mounted.mountPoint);
}

/** Memory of processes, in bytes: their own, and what is shared with files (the store's maps: page cache, not consumption). */
export interface ProcessMemory {
  readonly anonymous: number;
  readonly file: number;
}

/** The memory of all processes of a mount. */
export function memoryOf(mounted: Mounted): ProcessMemory {
  const each = processesOf(mounted).map(memoryOfProcess);
  return {
    anonymous: each.reduce((sum, { anonymous }) => sum + anonymous, 0),
    file: each.reduce((sum, { file }) => sum + file, 0),
  };
}

/** proc_pid_status(5): RssAnon and RssFile, in kB. */
function memoryOfProcess(pid: number): ProcessMemory {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { anonymous: bytes('RssAnon'), file: bytes('RssFile') };
}
