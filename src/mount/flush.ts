/**
 * Has the kernel write back what it caches for a mount (syncfs(2)). It waits until this process has served the writes, so another
 * process must do that.
 */
import { spawn } from 'node:child_process';
import { MountError } from './mount-error.js';

/** strerror(EDQUOT). What a quota refuses was not to be kept, and those who wrote it are told (fsync(2)): all else is written back. */
const OVER_QUOTA = 'Disk quota exceeded';

/** Resolves when the serving process has had all that was written before. Throws `flush-failed`. */
export async function flushInChild(mountPoint: string): Promise<void> {
  const child = spawn('sync', ['--file-system', mountPoint], {
    cwd: '/',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const failure = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : said.trim() || `ended with ${signal ?? code}`));
  });
  if (failure !== '' && !failure.endsWith(OVER_QUOTA)) {
    throw new MountError(
      'flush-failed',
      `What the kernel caches for ${mountPoint} cannot be written back: ${failure}.`,
    );
  }
}
