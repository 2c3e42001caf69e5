/**
 * Takes a mount out of the tree, through another process: an unmount makes the kernel write cached data back first, and the
 * daemon, which must serve those writes, cannot wait for it in unmount(2) itself.
 */
import { spawn } from 'node:child_process';

/** `busy`: open files or working directories keep it, nothing has changed. `error`: anything else that stood in the way. */
export type DetachOutcome =
  | { readonly outcome: 'done' | 'busy' }
  | { readonly outcome: 'error'; readonly error: string };

/** Unmounts. `lazy` takes the mount from sight at once; it ends when its last user is gone. */
export function detach(mountPoint: string, lazy: boolean): Promise<DetachOutcome> {
  const [command, words] =
    process.getuid?.() === 0 ? ['umount', lazy ? ['-l'] : []] : ['fusermount3', lazy ? ['-u', '-z'] : ['-u']];
  const child = spawn(command, [...words, '--', mountPoint], {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  let errorOutput = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errorOutput += chunk;
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ outcome: 'error', error: `${command} cannot be run: ${error.message}` }));
    child.once('close', (code) => {
      if (code === 0) {
        resolve({ outcome: 'done' });
      } else if (/busy/i.test(errorOutput)) {
        resolve({ outcome: 'busy' });
      } else {
        resolve({ outcome: 'error', error: errorOutput.trim() || `${command} ended with exit code ${code}` });
      }
    });
  });
}
