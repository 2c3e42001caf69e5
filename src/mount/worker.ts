/**
 * The worker's program: serves a store and its mounts for its supervisor, until the last mount has ended or another worker is to
 * go on with them.
 */
import { errnoName, sendFileDescriptor } from '../native/addon.js';
import { serialiseError } from './serialised-error.js';
import { resume, serve } from './serve.js';
import type { ServedStore } from './served-store.js';
import type { DescriptorKeeper, WorkerMessage, WorkerRequest } from './worker-protocol.js';

function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    // Without its supervisor a worker goes on: the mounts have their users.
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, () => resolve());
  });
}

/** Gives the supervisor what it needs to go on without this process. */
class Supervision implements DescriptorKeeper {
  readonly #socket: number;

  constructor(socket: number) {
    this.#socket = socket;
  }

  get isThere(): boolean {
    return process.connected;
  }

  async #share(fd: number, message: WorkerMessage): Promise<void> {
    if (!this.isThere) return;
    const result = sendFileDescriptor(this.#socket, fd);
    if (result < 0) {
      throw new Error(`the supervisor cannot be given a descriptor: ${errnoName(result)}`);
    }
    await tell(message);
  }

  keepLock(fd: number): Promise<void> {
    return this.#share(fd, { kind: 'lock' });
  }

  keepMount(...[fd, mount]: Parameters<DescriptorKeeper['keepMount']>): Promise<void> {
    return this.#share(fd, { kind: 'mounted', mount });
  }

  noteView(id: number, view: number): void {
    void tell({ kind: 'replaced', id, view });
  }

  dropMount(id: number): void {
    void tell({ kind: 'unmounted', id });
  }
}

async function run({ request, terminal, socket, inherited }: WorkerRequest): Promise<void> {
  const print = terminal ? (line: string): void => void process.stderr.write(line) : undefined;
  const keeper = new Supervision(socket);
  let service: ServedStore;
  try {
    if (inherited === undefined) {
      const served = await serve(request, keeper, print);
      service = served.service;
      await tell({ kind: 'ready', report: served.report });
    } else {
      service = await resume(request, inherited, keeper, print);
    }
  } catch (error) {
    await tell({ kind: 'failed', error: serialiseError(error) });
    return;
  }
  await tell({ kind: 'ended', end: await service.ended });
}

// Modes of new files come with the client's umask applied; this process' own must not take more away.
process.umask(0);
// Nobody may read standard error; a write there must not end the service.
process.stderr.on('error', () => {});
process.once('message', (request: WorkerRequest) => {
  run(request).then(() => process.exit(0));
});
