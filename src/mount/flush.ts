/**
 * Has the kernel write back what it caches for a mount (syncfs(2)). It waits until this process has served the writes, so another
 * process must do that.
 */
import { spawn } from 'node:child_process';
import { MountError } from './mount-error.js';

/** Resolves when the serving process has had all that was written before. Throws `flush-failed`. */
export async function flushInChild(mountPoint: string): Promise<void> {
  const child = spawn('sync', ['--file-system', mountPoint], { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const failure = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : said.trim() || `ended with ${signal ?? code}`));
  });
  if (failure !== '') {
    throw new MountError(
      'flush-failed',
      `What the kernel caches for ${mountPoint} cannot be written back: ${failure}.`,
    );
  }
}
