/**
 * A place with a mount point and a store for one test, on the disk of this checkout, and what tests do with them. Nothing
 * stays mounted when the test is over, whatever its outcome.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { unmount } from '../../src/fuse/unmount.js';
import type { MountReport } from '../../src/mount/mount-request.js';
import { mounts } from '../../src/mount/mount-table.js';
import { lockState } from '../../src/store/lock.js';
import { type Ended, ROOT, type RunOptions, razorfs } from '../cli/program.js';

/** Who runs what must happen at the end: a test, or a tool. */
export interface Teardown {
  teardown(handler: () => Promise<void>): void;
}

export class Place {
  readonly directory: string;
  readonly mountPoint: string;
  readonly store: string;

  /** The store is in the place, unless it is given. */
  constructor(t: Teardown, store?: string) {
    this.directory = mkdtempSync(path.join(process.env.TMPDIR ?? path.join(ROOT, 'build'), 'test-mount-'));
    this.mountPoint = path.join(this.directory, 'mnt');
    this.store = store ?? path.join(this.directory, 'store');
    mkdirSync(this.mountPoint);
    t.teardown(() => this.#clear());
  }

  mount(words: readonly string[] = [], options: RunOptions = {}): Promise<Ended> {
    return razorfs([this.mountPoint, '--store', this.store, ...words], options);
  }

  /** Mounts, and throws with what the command said when that fails. */
  async mounted(words: readonly string[] = [], options: RunOptions = {}): Promise<MountReport> {
    const { code, stdout, stderr } = await this.mount(['--json', ...words], options);
    if (code !== 0) {
      throw new Error(`not mounted (exit code ${code}): ${stdout}${stderr}`);
    }
    return JSON.parse(stdout);
  }

  umount(words: readonly string[] = [], options: RunOptions = {}): Promise<Ended> {
    return razorfs(['umount', this.mountPoint, ...words], options);
  }

  async #clear(): Promise<void> {
    const left = mounts().filter((entry) => entry.mountPoint.startsWith(`${this.directory}/`));
    for (const { mountPoint } of left.reverse()) {
      unmount(mountPoint, true);
    }
    await until(() => !existsSync(this.store) || !lockState(this.store).held);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Resolves when the condition holds; looked at often, for at most ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; !condition(); attempt++) {
    if (attempt === 1000) {
      throw new Error(`never came true: ${condition}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** `kill -9` of the process that serves a mount and of its supervisor: the mount is dead when it resolves. */
export async function killDaemon(pid: number): Promise<void> {
  const supervisor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  process.kill(supervisor, 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await until(() => !isRunning(supervisor) && !isRunning(pid));
}

/** Whether the process is there (and no zombie). */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
