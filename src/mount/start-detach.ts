/**
 * Unmounts from within the daemon, which goes on serving meanwhile; see `detach.ts` for why that takes another process.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RemoteError } from './serialised-error.js';

const PROGRAM = fileURLToPath(new URL('./detach.js', import.meta.url));

/** Unmounts. Resolves with the error that stood in the way, undefined for none. */
export function detachInChild(mountPoint: string, lazy: boolean): Promise<Error | undefined> {
  const child = spawn(process.execPath, [PROGRAM, mountPoint, ...(lazy ? ['lazy'] : [])], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  return new Promise((resolve) => {
    child.once('error', resolve);
    child.once('close', (code, signal) => {
      if (code === 0) {
        resolve(undefined);
      } else if (output === '') {
        resolve(new Error(`the unmounting process ended with ${signal ?? `exit code ${code}`}`));
      } else {
        resolve(new RemoteError(JSON.parse(output)));
      }
    });
  });
}
