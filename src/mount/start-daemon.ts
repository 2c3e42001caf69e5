/**
 * Starts the daemon that serves a mount, and waits until it is ready or has said why not.
 *
 * The daemon is a process of its own session with no terminal, standard files or directory of the command's; they speak over
 * an IPC channel until it is ready. Its standard error is kept only until then, for a process that dies before it can speak.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MountError } from './mount-error.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { RemoteError, type SerialisedError } from './serialised-error.js';

/** The first message from the daemon, and its last over this channel. */
export type DaemonMessage =
  | { readonly kind: 'ready'; readonly report: MountReport }
  | { readonly kind: 'failed'; readonly error: SerialisedError };

const DAEMON = fileURLToPath(new URL('./daemon.js', import.meta.url));
/** Characters of a dying daemon's error output that are kept. */
const ERROR_OUTPUT_KEPT = 4096;

/** Mounts as asked, in a new daemon. Resolves when programs can use the mount; throws what the daemon threw. */
export async function startDaemon(request: MountRequest): Promise<MountReport> {
  const message = await firstMessage(request);
  switch (message.kind) {
    case 'failed':
      throw new RemoteError(message.error);
    case 'ready':
      return message.report;
  }
}

function firstMessage(request: MountRequest): Promise<DaemonMessage> {
  // The paths are arguments for the sake of ps(1) only; the request itself goes over the channel.
  const child = spawn(process.execPath, [DAEMON, request.mountPoint, request.store], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errorOutput = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    errorOutput = (errorOutput + chunk).slice(-ERROR_OUTPUT_KEPT);
  });
  child.send(request);
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new MountError('daemon-failed', `The daemon cannot be started: ${error.message}.`)),
    );
    child.once('close', (code, signal) => {
      const how = signal === null ? `exit code ${code}` : signal;
      reject(new MountError('daemon-failed', `The daemon ended before it was ready (${how}).`, errorOutput.trimEnd()));
    });
    child.once('message', (message: DaemonMessage) => {
      child.removeAllListeners('close');
      child.disconnect();
      child.stderr?.destroy();
      child.unref();
      resolve(message);
    });
  });
}
