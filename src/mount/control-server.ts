/**
 * The daemon's side of the control socket. It holds no state of the mount: what it tells comes from the `ControlledMount`.
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

/** How the service of a mount by one process ends: `restart` when another process goes on with it. */
export type ServiceEnd =
  | { readonly outcome: 'clean' | 'restart' }
  | { readonly outcome: 'failed'; readonly error: string };

/** How long a client that does not read may delay the daemon's end. */
const FAREWELL_MS_MAX = 1_000;

export interface ControlledMount {
  status(): MountStatus;
  /** Begins to take the mount down; returns at once. */
  stop(reason: string): void;
  /** Begins to hand the mount over to a new process; returns at once. */
  restart(): void;
  /** Begins a scrub that reads at most so many bytes a second, unless one is running. */
  scrub(bytesPerSecond: number): void;
  stopScrub(): void;
  scrubStatus(): ScrubStatus | null;
  /** What a command needs that was given a mount point, or the store (empty). Throws MountError. */
  commandSurroundings(mountPoint: string): CommandSurroundings;
}

export class ControlServer {
  readonly #directory: SocketDirectory;
  #mount: ControlledMount | undefined;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  readonly #commands: CommandServer;
  #isWithdrawn = false;
  #becomeServed!: (mount: ControlledMount) => void;
  readonly #served: Promise<ControlledMount> = new Promise((resolve) => {
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

  /** From now on, answers for `mount`. */
  serve(mount: ControlledMount): void {
    this.#mount = mount;
    this.#becomeServed(mount);
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
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    client.on('error', () => client.destroy());
    const onData = (chunk: Buffer): void => {
      try {
        for (const line of lines.split(chunk)) {
          const request = parseRequest(line);
          if (request?.command === 'run' && !this.#isWithdrawn) {
            client.off('data', onData);
            void this.#served.then((mount) => this.#run(client, request, mount));
            return;
          }
          client.write(`${JSON.stringify(this.#answer(request))}\n`);
        }
      } catch {
        client.destroy();
      }
    };
    client.on('data', onData);
  }

  #run(client: Socket, request: RunRequest, mount: ControlledMount): void {
    this.#clients.delete(client);
    const answer: ControlAnswer = { answer: 'running' };
    client.write(`${JSON.stringify(answer)}\n`);
    this.#commands.run(client, request, () => mount.commandSurroundings(request.mountPoint));
  }

  #answer(request: ControlRequest | undefined): ControlAnswer {
    const mount = this.#mount;
    if (mount === undefined) {
      return { answer: 'refused', message: 'the mount is not ready yet' };
    }
    switch (request?.command) {
      case 'status':
        return { answer: 'status', status: mount.status() };
      case 'stop':
        mount.stop('asked for by a command');
        return { answer: 'stopping' };
      case 'restart':
        mount.restart();
        return { answer: 'restarting' };
      case 'scrub':
        mount.scrub(request.bytesPerSecond);
        return { answer: 'scrub', scrub: mount.scrubStatus() };
      case 'scrub-stop':
        mount.stopScrub();
        return { answer: 'scrub', scrub: mount.scrubStatus() };
      case 'scrub-status':
        return { answer: 'scrub', scrub: mount.scrubStatus() };
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
      // Only the store's owner and root reach the socket, and commands check what they are given.
      return value as RunRequest;
    case undefined:
      return undefined;
    default:
      return { command };
  }
}
