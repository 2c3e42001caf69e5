/**
 * Unmounts from within the daemon, which goes on serving meanwhile; see `detach.ts` for why that takes another process.
 */
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.js';

const PROGRAM = fileURLToPath(new URL('./detach.js', import.meta.url));

/** Unmounts. Resolves with the error that stood in the way, undefined for none. */
export const detachInChild = (mountPoint: string, lazy: boolean): Promise<Error | undefined> =>
  runProgram(PROGRAM, [mountPoint, ...(lazy ? ['lazy'] : [])]);
