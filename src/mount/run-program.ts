/**
 * Runs one of the programs of this directory that do for the daemon what it cannot wait for itself.
 */
import { spawn } from 'node:child_process';
import { RemoteError } from './serialised-error.js';

/** Runs a program to its end, with `descriptors` as its own from 3 on. Resolves with the error that it tells, undefined for none. */
export function runProgram(
  program: string,
  words: readonly string[],
  descriptors: readonly number[] = [],
): Promise<Error | undefined> {
  const child = spawn(process.execPath, [program, ...words], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore', ...descriptors],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  return new Promise((resolve) => {
    child.once('error', resolve);
    child.once('close', (code, signal) => {
      if (code === 0) {
        resolve(undefined);
      } else if (output === '') {
        resolve(new Error(`${program} ended with ${signal ?? `exit code ${code}`}`));
      } else {
        resolve(new RemoteError(JSON.parse(output)));
      }
    });
  });
}
