/**
 * Empties the kernel's caches of a mount before its files are replaced; see `empty-caches.ts` for why that takes another process.
 *
 * Afterwards it would be the first program to come along that throws away the directory entries of what is no more, all at once and with
 * everybody waiting behind it: half a second for 300,000 of them.
 */
import { fileURLToPath } from 'node:url';
import { isRoot } from '../fuse/unmount.js';
import { runProgram } from './run-program.js';

const PROGRAM = fileURLToPath(new URL('./empty-caches.js', import.meta.url));

/** Resolves with why that could not be, undefined for nothing: it is only faster with it. Only root may. */
export async function emptyCachesInChild(mountPoint: string): Promise<Error | undefined> {
  return isRoot() ? runProgram(PROGRAM, [mountPoint]) : undefined;
}
