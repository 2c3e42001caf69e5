/**
 * A store on a real mount, as the tests on real work need it: mounted by the real command, killed as a whole, checked by
 * razorfsck. Relies on `Place` for the directory and for leaving no mount behind.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { unmount } from '../../src/fuse/unmount.js';
import type { MountReport, MountRequest } from '../../src/mount/mount-request.js';
import { mountAt } from '../../src/mount/mount-table.js';
import { startDaemon } from '../../src/mount/start-daemon.js';
import { COMMIT_INTERVAL_MS_DEFAULT } from '../../src/volume/options.js';
import { type Ended, ROOT, razorfs, run } from '../cli/program.js';
import { isRunning, Place, until } from '../mount/mounting.js';

const RAZORFSCK = path.join(ROOT, 'build/src/cli/razorfsck.js');

export class MountedStore extends Place {
  /** A path below the mount point. */
  path(...names: string[]): string {
    return path.join(this.mountPoint, ...names);
  }

  /** What the command asks of the daemon when it is given no options. */
  get request(): MountRequest {
    return {
      mountPoint: this.mountPoint,
      store: this.store,
      label: '',
      dataset: 'main',
      durability: 'interval',
      commitIntervalMs: COMMIT_INTERVAL_MS_DEFAULT.interval,
      readOnly: false,
      options: '',
      transport: 'kernel',
    };
  }

  /** Mounts as the command does, without the start of its process, for those who mount again and again. */
  mountedByDaemon(): Promise<MountReport> {
    return startDaemon(this.request);
  }

  /** Unmounts, and throws with what the command said when that fails. */
  async unmounted(): Promise<void> {
    const { code, stdout, stderr } = await this.umount();
    if (code !== 0) {
      throw new Error(`not unmounted (exit code ${code}): ${stdout}${stderr}`);
    }
  }

  async remounted(words: readonly string[] = []): Promise<MountReport> {
    await this.unmounted();
    return this.mounted(words);
  }

  /** The pid of the process that serves the mount. */
  async servingPid(): Promise<number> {
    const { stdout } = await razorfs(['status', '--json', this.mountPoint]);
    return JSON.parse(stdout).mounts[0].status.pid;
  }

  /**
   * Every process of RazorFS that has to do with this mount, whatever it does for it: those whose arguments are the mount
   * point and the store, and those that share a process group with one of them (this process's own group aside).
   */
  processes(): number[] {
    const all = processTable();
    const groups = new Set(all.filter((entry) => this.#isServing(entry)).map((entry) => entry.group));
    groups.delete(all.find((entry) => entry.pid === process.pid)?.group ?? 0);
    return all.filter((entry) => this.#isServing(entry) || groups.has(entry.group)).map((entry) => entry.pid);
  }

  #isServing({ words }: ProcessEntry): boolean {
    const script = words[1] ?? '';
    return (
      script.startsWith(path.join(ROOT, 'build/src/')) && words.includes(this.store) && words.includes(this.mountPoint)
    );
  }

  /** `kill -9` of all of them at once. The mount is dead when it resolves, and cleared. */
  async killEverything(): Promise<void> {
    // Again until there is none: one may have been starting another.
    for (let pids = this.processes(); pids.length > 0; pids = this.processes().filter(isRunning)) {
      for (const pid of pids) {
        killHard(pid);
      }
      await until(() => !pids.some(isRunning));
    }
    if (mountAt(this.mountPoint) !== undefined) {
      unmount(this.mountPoint, true);
    }
  }

  /** razorfsck on the store, which must not be mounted. */
  check(words: readonly string[] = []): Promise<Ended> {
    return run(process.execPath, [RAZORFSCK, ...words, this.store]);
  }

  /** Throws with the findings unless razorfsck says OK. */
  async checked(): Promise<void> {
    const { code, stdout, stderr } = await this.check();
    if (code !== 0 || !/\bOK\b/.test(stdout)) {
      throw new Error(`razorfsck (exit code ${code}): ${stdout}${stderr}`);
    }
  }
}

interface ProcessEntry {
  readonly pid: number;
  readonly group: number;
  readonly words: readonly string[];
}

function processTable(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      // proc_pid_stat(5): after the command's name in parentheses come state, parent and process group.
      const group = Number(/^.*\) \S+ \d+ (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1]);
      entries.push({ pid: Number(name), group, words });
    } catch {
      // It has ended meanwhile.
    }
  }
  return entries;
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return directories.some((directory) => existsSync(path.join(directory, program)));
}

/** Runs a command, and throws with what it said when it fails. Returns what it wrote to standard output. */
export async function succeed(command: string, words: readonly string[], cwd = '/'): Promise<string> {
  const { code, stdout, stderr } = await run(command, words, { cwd });
  if (code !== 0) {
    throw new Error(`${command} ${words.join(' ')} (exit code ${code}): ${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  }
  return stdout;
}
