/**
 * Which processes keep a mount busy: those with an open file, a working directory, a root or a program below it, as
 * /proc tells (proc(5)). Processes of other users are seen by root only.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface MountUser {
  readonly pid: number;
  /** The program's name, at most 15 characters (comm). */
  readonly name: string;
  /** One of the paths that it holds. */
  readonly path: string;
}

function linkTarget(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // Gone meanwhile, or not ours to see.
    return '';
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function heldPath(pid: string, mountPoint: string): string | undefined {
  const links = ['cwd', 'root', 'exe', ...entries(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`)];
  for (const link of links) {
    const target = linkTarget(`/proc/${pid}/${link}`);
    if (target === mountPoint || target.startsWith(`${mountPoint}/`)) {
      return target;
    }
  }
  return undefined;
}

/** The first `countMax` processes, this one aside, that use the mount at `mountPoint`. */
export function mountUsers(mountPoint: string, countMax: number): MountUser[] {
  const users: MountUser[] = [];
  for (const pid of entries('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    const path = heldPath(pid, mountPoint);
    if (path !== undefined) {
      users.push({ pid: Number(pid), name: processName(pid), path });
    }
    if (users.length === countMax) {
      break;
    }
  }
  return users;
}

function processName(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return 'a process that has ended';
  }
}
