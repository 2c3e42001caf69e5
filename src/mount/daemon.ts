/**
 * The daemon's program: receives one `MountRequest` over the IPC channel from `start-daemon.ts`, serves it, and exits when
 * the mount has ended: with 0 when the store was left clean.
 */
import type { MountRequest } from './mount-request.js';
import { serialiseError } from './serialised-error.js';
import { type ServedMount, serve } from './serve.js';
import type { DaemonMessage } from './start-daemon.js';

function tell(message: DaemonMessage): Promise<void> {
  return new Promise((resolve) => {
    // The command may be gone (interrupted while it waited): the mount stays, it was asked for.
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, () => resolve());
  });
}

async function run(request: MountRequest): Promise<number> {
  let mount: ServedMount;
  try {
    mount = await serve(request);
  } catch (error) {
    await tell({ kind: 'failed', error: serialiseError(error) });
    return 1;
  }
  await tell({ kind: 'ready', report: mount.report });
  if (process.connected) {
    process.disconnect();
  }
  return (await mount.ended) === '' ? 0 : 1;
}

// Modes of new files come with the client's umask applied; the daemon's own must not take more away.
process.umask(0);
// Nobody reads standard error once the command has gone; a write there must not end the daemon.
process.stderr.on('error', () => {});
process.once('message', (request: MountRequest) => {
  run(request).then((code) => process.exit(code));
});
