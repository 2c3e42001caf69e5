/**
 * The daemon's program: receives one `MountRequest` over the IPC channel from `start-daemon.ts`, supervises the worker that serves
 * it, and exits when the mount has ended: with 0 when the store was left clean.
 */
import type { MountRequest } from './mount-request.js';
import { serialiseError } from './serialised-error.js';
import type { DaemonMessage } from './start-daemon.js';
import { Supervisor } from './supervisor.js';

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
  const supervisor = new Supervisor(request);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => supervisor.signal(signal));
  }
  // The terminal from which the daemon was started may go.
  process.on('SIGHUP', () => undefined);
  try {
    await tell({ kind: 'ready', report: await supervisor.start() });
  } catch (error) {
    await tell({ kind: 'failed', error: serialiseError(error) });
    return 1;
  }
  if (process.connected) {
    process.disconnect();
  }
  return (await supervisor.ended).outcome === 'clean' ? 0 : 1;
}

// Nobody reads standard error once the command has gone; a write there must not end the daemon.
process.stderr.on('error', () => {});
process.once('message', (request: MountRequest) => {
  run(request).then((code) => process.exit(code));
});
