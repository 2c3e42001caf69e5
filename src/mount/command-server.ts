/**
 * Runs commands on the store that this process serves, each for a client on a connection of its own (command-frames.ts).
 *
 * A command whose client goes is aborted; so are all when the store is about to be closed, which must wait for them.
 */
import type { Socket } from 'node:net';
import { encodeFrame, encodeJsonFrame, FrameSplitter } from './command-frames.js';
import { CommandInput } from './command-input.js';
import type { CommandContext, StoreCommand } from './commands/store-command.js';
import type { RunRequest } from './control-protocol.js';
import { MountError } from './mount-error.js';
import { serialiseError } from './serialised-error.js';

/** What the process gives to a command; the rest of the context is the connection's. */
export type CommandSurroundings = Omit<CommandContext, 'signal' | 'input' | 'write' | 'progress' | 'caller'>;

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Bytes of output in one frame. */
const OUTPUT_BYTES_MAX = 1 << 20;

/** Finds a command by its name. */
export type CommandTable = (name: string) => StoreCommand<object, unknown> | undefined;

export class CommandServer {
  readonly #commands: CommandTable;
  readonly #running = new Set<Running>();

  constructor(commands: CommandTable) {
    this.#commands = commands;
  }

  /** Runs the command that a client asks for. The connection belongs to it from here on, and is closed after its result. */
  run(client: Socket, request: RunRequest, surroundings: () => CommandSurroundings): void {
    const abort = new AbortController();
    const ended = this.#run(client, request, surroundings, abort).finally(() => this.#running.delete(running));
    const running: Running = { abort, ended };
    this.#running.add(running);
  }

  /** Ends all commands. Resolves when none uses the store any more. */
  async stop(): Promise<void> {
    const running = [...this.#running];
    for (const { abort } of running) {
      abort.abort(new MountError('interrupted', 'The store was unmounted, or its process restarted, meanwhile.'));
    }
    await Promise.all(running.map(({ ended }) => ended));
  }

  async #run(
    client: Socket,
    { name, args, caller }: RunRequest,
    surroundings: () => CommandSurroundings,
    abort: AbortController,
  ): Promise<void> {
    const { signal } = abort;
    const input = receiveInput(client, abort);
    const send = (frame: Buffer): Promise<void> => sendWithin(client, frame, signal);
    try {
      const command = this.#commands(name);
      if (command === undefined) {
        throw new MountError(
          'no-answer',
          `The serving process does not know the command "${name}": it is of another version.`,
          'Put this version in its place: razorfs restart MNT',
        );
      }
      const result = await command(args, {
        ...surroundings(),
        caller,
        signal,
        input,
        write: async (bytes) => {
          for (let from = 0; from < bytes.length; from += OUTPUT_BYTES_MAX) {
            await send(encodeFrame('output', bytes.subarray(from, from + OUTPUT_BYTES_MAX)));
          }
        },
        progress: (report) => {
          // A client that does not keep up misses some.
          if (!client.writableNeedDrain) client.write(encodeJsonFrame('progress', report));
        },
      });
      client.end(encodeJsonFrame('result', result));
    } catch (error) {
      client.end(encodeJsonFrame('failure', serialiseError(error)));
    }
  }
}

function receiveInput(client: Socket, abort: AbortController): CommandInput {
  const frames = new FrameSplitter();
  const input = new CommandInput(() => client.resume());
  client.on('data', (chunk: Buffer) => {
    try {
      for (const { kind, payload } of frames.split(chunk)) {
        if (kind === 'input-end') input.end();
        else input.add(payload);
      }
      if (!input.isEmpty) client.pause();
    } catch {
      client.destroy();
    }
  });
  client.on('close', () => abort.abort(new MountError('interrupted', 'Nobody waits for the command any more.')));
  abort.signal.addEventListener('abort', () => input.fail(abort.signal.reason));
  return input;
}

/** Resolves when the socket has room for more. */
function sendWithin(client: Socket, frame: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (client.write(frame)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      client.off('drain', settle);
      signal.removeEventListener('abort', settle);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    client.once('drain', settle);
    signal.addEventListener('abort', settle);
  });
}
