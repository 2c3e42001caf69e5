/**
 * A command's side of the control socket: asks a serving process, or waits for its end.
 */
import type { Socket } from 'node:net';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { ScrubStatus } from '../volume/scrub.js';
import {
  type ControlAnswer,
  type ControlRequest,
  LineSplitter,
  type MountStatus,
  type ScrubRequest,
} from './control-protocol.js';
import { connectToDaemon } from './daemon-socket.js';
import { MountError } from './mount-error.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { RemoteError } from './serialised-error.js';

/** How long a daemon may take to answer: it may be in the middle of a long directory or a slow disk. */
const ANSWER_MS_MAX = 30_000;
/** The pause before one that has hung up is asked again. */
const RETRY_MS = 25;

const noAnswer = (waitedMs: number): MountError =>
  new MountError(
    'no-answer',
    `The daemon does not answer (waited ${waitedMs / 1000} s).`,
    'Its log, razorfs.log in the store, may say why.',
  );

/** How a daemon ended: `unknown` when it went without a word. */
export type DaemonEnd =
  | { readonly outcome: 'clean' }
  | { readonly outcome: 'failed' | 'unknown'; readonly error: string };

/** How a mount ended: `left` when the daemon goes on with others. */
export type MountEnd = DaemonEnd | { readonly outcome: 'left' };

/** A connection to a daemon, and what it said first. */
export interface AnsweringDaemon {
  readonly client: ControlClient;
  readonly status: MountStatus;
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #waiting: ((answer: ControlAnswer | undefined) => void)[] = [];
  readonly #unmounting = new Map<string, (end: MountEnd) => void>();
  /** Settles when the daemon has ended. */
  readonly ended: Promise<DaemonEnd>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => this.#receive(resolve));
  }

  /**
   * Connects to the daemon that serves `store`; waits while there is one that does not listen, as between two workers. Resolves to
   * undefined when none does; throws `no-permission` when this user may not ask.
   */
  static async connect(store: string): Promise<ControlClient | undefined> {
    const socket = await connectToDaemon(store);
    return socket === undefined ? undefined : new ControlClient(socket);
  }

  /**
   * The same with a daemon that answers: a worker that is dying may still accept connections. Throws `no-answer` too, when it takes
   * too long.
   */
  static async connectAnswering(store: string, waitMs = ANSWER_MS_MAX): Promise<AnsweringDaemon | undefined> {
    const startedMs = performance.now();
    for (;;) {
      const client = await ControlClient.connect(store);
      if (client === undefined) return undefined;
      const status = await client.status();
      if (status !== undefined) return { client, status };
      client.close();
      // One that has no descriptors left hangs up on everybody.
      if (performance.now() - startedMs > waitMs) throw noAnswer(waitMs);
      await setTimeoutPromise(RETRY_MS);
    }
  }

  /** The daemon's view of its store and mounts; undefined when it ended meanwhile. Throws `no-answer` when it takes too long. */
  async status(): Promise<MountStatus | undefined> {
    const answer = await this.#ask({ command: 'status' });
    return answer?.answer === 'status' ? answer.status : undefined;
  }

  /** Asks the daemon to mount one more volume or snapshot. Undefined when it ended meanwhile; throws why it refused. */
  async mount(request: MountRequest): Promise<MountReport | undefined> {
    const answer = await this.#ask({ command: 'mount', request });
    if (answer?.answer === 'failed') throw new RemoteError(answer.error);
    return answer?.answer === 'mounted' ? answer.report : undefined;
  }

  /** Resolves when one of the mounts has ended, and the daemon, if it was the last one. */
  unmounted(mountPoint: string): Promise<MountEnd> {
    return Promise.race([this.ended, new Promise<MountEnd>((resolve) => this.#unmounting.set(mountPoint, resolve))]);
  }

  /** Asks the daemon to unmount everything and finish; await `ended` for the result. */
  async stop(): Promise<void> {
    await this.#ask({ command: 'stop' });
  }

  /** Asks the daemon to hand its mounts over to a new process; await `ended` for its end. Throws why it refused. */
  async restart(): Promise<void> {
    const answer = await this.#ask({ command: 'restart' });
    if (answer?.answer === 'failed') throw new RemoteError(answer.error);
  }

  /** Begins, stops, or asks after a scrub. Undefined when the daemon ended meanwhile, null when there was no scrub. */
  async scrub(request: ScrubRequest): Promise<ScrubStatus | null | undefined> {
    const answer = await this.#ask(request);
    return answer?.answer === 'scrub' ? answer.scrub : undefined;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(request: ControlRequest): Promise<ControlAnswer | undefined> {
    if (this.#socket.destroyed) {
      return undefined;
    }
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<ControlAnswer | undefined>((resolve, reject) => {
      this.#waiting.push(resolve);
      timer = setTimeout(() => {
        reject(noAnswer(ANSWER_MS_MAX));
      }, ANSWER_MS_MAX);
    });
    this.#socket.write(`${JSON.stringify(request)}\n`);
    return answer.finally(() => clearTimeout(timer));
  }

  #receive(resolveEnd: (end: DaemonEnd) => void): void {
    const lines = new LineSplitter();
    let end: DaemonEnd = { outcome: 'unknown', error: 'The daemon died before it had finished.' };
    this.#socket.setEncoding('utf8');
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('data', (chunk: string) => {
      for (const line of lines.split(chunk)) {
        const answer: ControlAnswer = JSON.parse(line);
        if (answer.answer === 'stopped') {
          end = answer.error === '' ? { outcome: 'clean' } : { outcome: 'failed', error: answer.error };
        } else if (answer.answer === 'unmounted') {
          const { mountPoint, error } = answer;
          this.#unmounting.get(mountPoint)?.(error === '' ? { outcome: 'left' } : { outcome: 'failed', error });
        } else {
          this.#waiting.shift()?.(answer);
        }
      }
    });
    this.#socket.on('close', () => {
      for (const waiter of this.#waiting.splice(0)) {
        waiter(undefined);
      }
      resolveEnd(end);
    });
  }
}
