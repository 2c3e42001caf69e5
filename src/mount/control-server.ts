/**
 * The daemon's side of the control socket. It holds no state of the store: what it tells comes from the `ControlledStore`.
 *
 * It relies on the store's lock being held from `open` to `withdraw`, so that a socket found in the store belongs to a
 * process that is gone, and the socket that is removed is its own.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { ScrubStatus } from '../volume/scrub.js';
import { CommandServer, type CommandSurroundings, type CommandTable } from './command-server.js';
import { storeCommand } from './commands/registry.js';
import {
  CONTROL_COMMANDS,
  type ControlAnswer,
  type ControlRequest,
  LineSplitter,
  type MountStatus,
  type RunRequest,
  SocketDirectory,
} from './control-protocol.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { serialiseError } from './serialised-error.js';

/** How the service of a store by one process ends: `restart` when another process goes on with it. */
export type ServiceEnd =
  | { readonly outcome: 'clean' | 'restart' }
  | { readonly outcome: 'failed'; readonly error: string };

/** How long a client that does not read may delay the daemon's end. */
const FAREWELL_MS_MAX = 1_000;

export interface ControlledStore {
  status(): MountStatus;
  /** Mounts one more volume or snapshot. Throws StoreError, FuseError, MountError. */
  mount(request: MountRequest): Promise<MountReport>;
  /** Begins to take all mounts down; returns at once. */
  stop(reason: string): void;
  /** Begins to hand the mounts over to a new process; returns at once. Throws MountError where there would be none. */
  restart(): void;
  readonly scrub: {
    /** Begins a scrub that reads at most so many bytes a second, unless one is running. */
    start(bytesPerSecond: number): void;
    stop(): void;
    status(): ScrubStatus | null;
  };
  /** What a command needs that was given a mount, or the store (empty). Throws MountError for a mount of something else. */
  commandSurroundings(mount: Pick<RunRequest, 'mountPoint' | 'device'>): CommandSurroundings;
}

export class ControlServer {
  readonly #directory: SocketDirectory;
  #store: ControlledStore | undefined;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #commands: CommandServer;
  #isWithdrawn = false;
  #becomeServed!: (store: ControlledStore) => void;
  readonly #served: Promise<ControlledStore> = new Promise((resolve) => {
    this.#becomeServed = resolve;
  });

  private constructor(store: string, commands: CommandTable) {
    this.#commands = new CommandServer(commands);
    this.#directory = new SocketDirectory(store);
    this.#server = createServer((client) => this.#receive(client));
  }

  /** Listens on the store's control socket. Answers begin with `serve`. */
  static async open(store: string, commands: CommandTable = storeCommand): Promise<ControlServer> {
    const server = new ControlServer(store, commands);
    await server.#listen();
    return server;
  }

  /** From now on, answers for `store`. */
  serve(store: ControlledStore): void {
    this.#store = store;
    this.#becomeServed(store);
  }

  async #listen(): Promise<void> {
    rmSync(this.#directory.socketPath, { force: true });
    // bind(2) makes the socket with the umask, which leaves no moment in which others may connect.
    const umask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(this.#directory.socketPath, resolve);
      });
    } finally {
      process.umask(umask);
    }
    chmodSync(this.#directory.socketPath, 0o600);
    this.#server.removeAllListeners('error');
    this.#server.on('error', () => {
      // A client that could not be accepted is that client's trouble only.
    });
  }

  /**
   * Removes the socket: nobody new connects. Those connected stay until `dismiss`. Resolves when no command uses the store any more.
   */
  async withdraw(): Promise<void> {
    this.#isWithdrawn = true;
    this.#server.close();
    rmSync(this.#directory.socketPath, { force: true });
    this.#directory.close();
    await this.#commands.stop();
  }

  /** Tells all clients something that they have not asked for. */
  announce(answer: ControlAnswer): void {
    for (const client of this.#clients) client.write(`${JSON.stringify(answer)}\n`);
  }

  /** Tells all clients how the service ended and lets them go. */
  async dismiss(end: ServiceEnd): Promise<void> {
    const answer: ControlAnswer =
      end.outcome === 'restart'
        ? { answer: 'restarting' }
        : { answer: 'stopped', error: end.outcome === 'failed' ? end.error : '' };
    const farewell = `${JSON.stringify(answer)}\n`;
    await Promise.all(
      [...this.#clients].map(
        (client) =>
          new Promise<void>((resolve) => {
            client.once('close', () => resolve());
            client.setTimeout(FAREWELL_MS_MAX, () => client.destroy());
            client.end(farewell, () => client.destroy());
          }),
      ),
    );
  }

  #receive(client: Socket): void {
    const lines = new LineSplitter();
    let answered = Promise.resolve();
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    client.on('error', () => client.destroy());
    const onData = (chunk: Buffer): void => {
      try {
        for (const line of lines.split(chunk)) {
          const request = parseRequest(line);
          if (request?.command === 'run' && !this.#isWithdrawn) {
            client.off('data', onData);
            void this.#served.then((store) => this.#run(client, request, store));
            return;
          }
          const answer = this.#answer(request);
          // In the order of the requests.
          answered = answered.then(async () => void client.write(`${JSON.stringify(await answer)}\n`));
        }
      } catch {
        client.destroy();
      }
    };
    client.on('data', onData);
  }

  #run(client: Socket, request: RunRequest, store: ControlledStore): void {
    this.#clients.delete(client);
    const answer: ControlAnswer = { answer: 'running' };
    client.write(`${JSON.stringify(answer)}\n`);
    this.#commands.run(client, request, () => store.commandSurroundings(request));
  }

  async #answer(request: ControlRequest | undefined): Promise<ControlAnswer> {
    const store = this.#store;
    if (store === undefined) {
      return { answer: 'refused', message: 'the store is not ready yet' };
    }
    switch (request?.command) {
      case 'status':
        return { answer: 'status', status: store.status() };
      case 'mount':
        try {
          return { answer: 'mounted', report: await store.mount(request.request) };
        } catch (error) {
          return { answer: 'failed', error: serialiseError(error) };
        }
      case 'stop':
        store.stop('asked for by a command');
        return { answer: 'stopping' };
      case 'restart':
        try {
          store.restart();
          return { answer: 'restarting' };
        } catch (error) {
          return { answer: 'failed', error: serialiseError(error) };
        }
      case 'scrub':
        store.scrub.start(request.bytesPerSecond);
        return { answer: 'scrub', scrub: store.scrub.status() };
      case 'scrub-stop':
        store.scrub.stop();
        return { answer: 'scrub', scrub: store.scrub.status() };
      case 'scrub-status':
        return { answer: 'scrub', scrub: store.scrub.status() };
      case 'run':
      case undefined:
        return { answer: 'refused', message: 'not a request that this version knows' };
    }
  }
}

function parseRequest(line: string): ControlRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('command' in value)) return undefined;
  const command = CONTROL_COMMANDS.find((known) => known === value.command);
  switch (command) {
    case 'scrub': {
      const bytesPerSecond = 'bytesPerSecond' in value ? value.bytesPerSecond : undefined;
      return typeof bytesPerSecond === 'number' && bytesPerSecond > 0 ? { command, bytesPerSecond } : undefined;
    }
    case 'run':
    case 'mount':
      // Only the store's owner and root reach the socket, and commands check what they are given.
      return value as ControlRequest;
    case undefined:
      return undefined;
    default:
      return { command };
  }
}
