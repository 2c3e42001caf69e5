/**
 * A command's side of a connection on which the serving process runs it (command-frames.ts).
 */
import type { Socket } from 'node:net';
import { encodeFrame, type Frame, FrameSplitter } from './command-frames.js';
import type { ControlAnswer, RunRequest } from './control-protocol.js';
import { MountError } from './mount-error.js';
import { RemoteError } from './serialised-error.js';

/** What a command's user gives and takes. */
export interface CommandIo {
  /** Takes output. The process that runs the command waits while this does. */
  readonly output?: (bytes: Uint8Array) => Promise<void> | void;
  readonly progress?: (report: object) => void;
  readonly input?: AsyncIterable<Uint8Array>;
  /** Gives the command up. */
  readonly signal?: AbortSignal;
}

/** Runs a command over a new connection to the process that serves the store. Throws what it threw. */
export async function runRemotely(socket: Socket, request: RunRequest, io: CommandIo): Promise<unknown> {
  const giveUp = (): void => void socket.destroy();
  io.signal?.addEventListener('abort', giveUp);
  try {
    io.signal?.throwIfAborted();
    socket.write(`${JSON.stringify(request)}\n`);
    let inputFailure: { readonly error: unknown } | undefined;
    const frames = receiveFrames(socket, () => {
      sendInput(socket, io.input).catch((error: unknown) => {
        inputFailure = { error };
        socket.destroy();
      });
    });
    for await (const { kind, payload } of frames) {
      switch (kind) {
        case 'output':
          await io.output?.(payload);
          break;
        case 'progress':
          io.progress?.(JSON.parse(payload.toString('utf8')));
          break;
        case 'result':
          return JSON.parse(payload.toString('utf8'));
        case 'failure':
          throw new RemoteError(JSON.parse(payload.toString('utf8')));
        case 'input':
        case 'input-end':
          throw new Error('the serving process sent input');
      }
    }
    io.signal?.throwIfAborted();
    if (inputFailure !== undefined) throw inputFailure.error;
    throw new MountError(
      'daemon-failed',
      'The serving process ended before the command did.',
      'Its log, razorfs.log in the store, may say why.',
    );
  } finally {
    io.signal?.removeEventListener('abort', giveUp);
    socket.destroy();
  }
}

/** The frames after the line that says that the command runs; that is when it takes input. */
async function* receiveFrames(socket: Socket, onRunning: () => void): AsyncGenerator<Frame> {
  const frames = new FrameSplitter();
  let line: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunksOf(socket)) {
    if (line === undefined) {
      yield* frames.split(chunk);
      continue;
    }
    line = Buffer.concat([line, chunk]);
    const end = line.indexOf('\n');
    if (end < 0) continue;
    const answer: ControlAnswer = JSON.parse(line.toString('utf8', 0, end));
    if (answer.answer !== 'running') {
      throw new MountError(
        'no-answer',
        `The serving process refuses: ${'message' in answer ? answer.message : answer.answer}.`,
      );
    }
    const rest = line.subarray(end + 1);
    line = undefined;
    onRunning();
    yield* frames.split(rest);
  }
}

/** What comes over a socket, until it ends in whatever way. */
async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of socket) yield chunk;
  } catch {
    // A connection that is cut is one that ends.
  }
}

async function sendInput(socket: Socket, input: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (input === undefined) return;
  for await (const chunk of input) {
    if (socket.destroyed) return;
    if (!socket.write(encodeFrame('input', chunk))) await roomIn(socket);
  }
  socket.write(encodeFrame('input-end', new Uint8Array(0)));
}

/** Resolves when the socket has room, or has come to its end. */
function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off('drain', settle);
      socket.off('close', settle);
      resolve();
    };
    socket.on('drain', settle);
    socket.on('close', settle);
  });
}
