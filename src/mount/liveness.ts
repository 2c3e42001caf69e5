/**
 * Whether somebody serves a mount. Asking it may wait for ever, in a system call that only SIGKILL ends, when its daemon is
 * there and stuck: so another process asks.
 */
import { spawnSync } from 'node:child_process';

/** `dead`: every access answers ENOTCONN, the daemon is gone. `silent`: no answer in time. */
export type Liveness = 'alive' | 'dead' | 'silent';

const ANSWER_MS_MAX = 3_000;
const SCRIPT = 'try { require("fs").statSync(process.argv[1]) } catch (error) { process.stdout.write(error.code) }';

export function livenessOf(mountPoint: string): Liveness {
  const { stdout, error } = spawnSync(process.execPath, ['-e', SCRIPT, '--', mountPoint], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: ANSWER_MS_MAX,
    killSignal: 'SIGKILL',
  });
  if (error !== undefined) {
    return 'silent';
  }
  return stdout === 'ENOTCONN' ? 'dead' : 'alive';
}
