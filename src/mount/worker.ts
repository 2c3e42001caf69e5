/**
 * The worker's program: serves one mount for its supervisor, until the mount has ended or another worker is to go on with it.
 */
import { errnoName, sendFileDescriptor } from '../native/addon.js';
import { serialiseError } from './serialised-error.js';
import { resume, type ServedMount, serve } from './serve.js';
import type { WorkerMessage, WorkerRequest } from './worker-protocol.js';

function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    // Without its supervisor a worker goes on: the mount has its users.
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, () => resolve());
  });
}

/** Gives the supervisor what it needs to go on without this process, where that is possible. */
function share(mount: ServedMount, socket: number): void {
  if (mount.descriptors === undefined) {
    return;
  }
  const { fuse, lock } = mount.descriptors;
  for (const fd of [fuse, lock]) {
    const result = sendFileDescriptor(socket, fd);
    if (result < 0) {
      throw new Error(`the supervisor cannot be given the mount: ${errnoName(result)}`);
    }
  }
}

async function run({ request, terminal, socket, inherited }: WorkerRequest): Promise<void> {
  const print = terminal ? (line: string): void => void process.stderr.write(line) : undefined;
  let mount: ServedMount;
  try {
    mount = inherited === undefined ? await serve(request, print) : await resume(request, inherited, print);
    if (socket !== undefined) {
      share(mount, socket);
    }
  } catch (error) {
    await tell({ kind: 'failed', error: serialiseError(error) });
    return;
  }
  await tell({ kind: 'ready', report: mount.report });
  await tell({ kind: 'ended', end: await mount.ended });
}

// Modes of new files come with the client's umask applied; this process' own must not take more away.
process.umask(0);
// Nobody may read standard error; a write there must not end the service.
process.stderr.on('error', () => {});
process.once('message', (request: WorkerRequest) => {
  run(request).then(() => process.exit(0));
});
