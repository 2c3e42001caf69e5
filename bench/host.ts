/**
 * The machine under a bench: its page cache, its processes, what it is.
 */
import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { formatBytes } from '../src/cli/quantities.js';

const run = promisify(execFile);

/** proc_sys_vm(5), drop_caches: dentries and inodes, or the page cache too. */
export type Cache = 'names' | 'all';

/** Makes what comes next meet cold caches, as far as it can. */
export type DropCache = (cache: Cache) => Promise<void>;

/** Empties a cache of the kernel, for the whole machine. Only root may: for others what should be cold stays warm. */
export const dropKernelCache: DropCache = async (cache) => {
  await run('sync');
  try {
    writeFileSync('/proc/sys/vm/drop_caches', cache === 'all' ? '3' : '2');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EROFS') throw error;
  }
};

/** For runs whose figures do not count. */
export const keepCache: DropCache = async () => undefined;

/** Resolves when the condition holds. Throws when it does not within a minute. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether the process is there, zombies not counted. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** Bytes that the host has allocated for everything below a directory. */
export function allocatedBelow(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    bytes += lstatSync(path.join(directory, name)).blocks * 512;
  }
  return bytes;
}

/** Copies a directory of files with holes. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  await run('cp', ['-a', '--sparse=always', from, to]);
}

/** One line for a report: cores, memory, kernel, Node, and the file system below. */
export async function describeHost(directory: string): Promise<string> {
  const { stdout } = await run('findmnt', ['--noheadings', '--output=FSTYPE', '--target', directory]);
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return [
    `${availableParallelism()} cores (${model})`,
    `${formatBytes(totalmem())} of memory`,
    `Linux ${release()}`,
    `Node ${process.version}`,
    `store on ${stdout.trim()}`,
  ].join(', ');
}
