/**
 * The serving loop: takes requests from a /dev/fuse descriptor, one write and one read for each, and lets `Service` answer them.
 *
 * It runs on the event loop in bursts. A burst begins when the descriptor becomes readable, and goes on for as long as requests
 * follow each other closely (see polling.ts), but hands back to the event loop after about a millisecond, so that timers, signals
 * and the ends of background work get their turn.
 *
 * With several clients this thread is the limit. `perf` with four of them, working on small files: half of its time goes into serving
 * requests, in many small parts, of which the search in the tree is the largest (4 to 10 % by the run); a fifth into writing replies,
 * three quarters of which is waking the client; a tenth into reading requests; 2 % into Node-API. What was tried to give it more, and is
 * not here, as parts of this loop's speed with 4 and with 16 clients (medians of 9 to 14 interleaved pairs; 2 cores of a virtual
 * machine, Linux 6.18):
 * - A native thread that reads requests ahead into a ring of buffers and writes the replies: 0.81 and 0.89; only reads: 0.91 and 0.83;
 *   only writes: 0.87 and 0.87. Where it looks for 20 or 50 µs for more before it sleeps: 0.75 to 0.84. Of 750,000 requests with 1, 4 and
 *   16 clients, 475,000 had to wake that thread and 323,000 this one, where waking the client was what it should save; and it runs
 *   where the clients would.
 * - Replies held back until no request waits or there are 2: 1.02 and 1.01; 4: 0.94 and 1.03; 16: 0.90 and 0.95.
 * - A higher priority, because a woken client displaces this thread at nearly every third request: nice -20, 0.98 and 1.05; SCHED_FIFO,
 *   0.95 and 1.16, better in 4 and 10 of 14 pairs.
 *
 * The descriptor belongs to the caller, who may hand it to another session afterwards: nothing here outlives a process that is
 * not also in the kernel or the store, except for answers under way (see `stop`).
 */
import { constants } from 'node:os';
import type { FileSystemOperations } from '../filesystem/operations.js';
import { errnoName, exchange, type ReadableWatch, send, watchReadable } from '../native/addon.js';
import type { Ino } from '../store/units.js';
import { FailureLog, type FailureSink } from './failure-log.js';
import { Notifier } from './notify.js';
import { HostCores, Placement } from './placement.js';
import { AdaptivePolling, HostLoad } from './polling.js';
import type { Reply } from './reply.js';
import { Service } from './service.js';
import { FuseTrace } from './trace.js';

/** Milliseconds that a burst may take before timers and background work get their turn. */
const BURST_MS_MAX = 1;
/** The clock is looked at after this many requests. */
const REQUESTS_PER_CLOCK = 4;

const GONE: ReadonlySet<number> = new Set([-constants.errno.ENODEV, -constants.errno.ECONNABORTED]);

/** `unmounted`: the kernel has ended the connection. `stopped`: by `stop`. `failed`: it could not be served any longer. */
export type SessionEnd =
  | { readonly reason: 'unmounted' | 'stopped' }
  | { readonly reason: 'failed'; readonly error: Error };

export interface SessionOptions {
  /** A /dev/fuse descriptor of a mount. It stays the caller's to close, once `ended` has resolved. */
  readonly fd: number;
  readonly filesystem: FileSystemOperations;
  /** An earlier process has answered INIT on this descriptor. */
  readonly initialised: boolean;
  /** Tells the requests of several mounts of one store apart. */
  readonly connection?: number;
  /** Let the kernel collect writes and write them back later; off for `-o writethrough`. The same over a connection's life. */
  readonly writebackCache: boolean;
  /** Where failures are told that are not the callers' doing. */
  readonly log: FailureSink;
  readonly trace?: FuseTrace;
}

export class Session {
  readonly trace: FuseTrace;
  /** Resolves once the connection has been agreed on, which may have been before; rejects when that fails. */
  readonly ready: Promise<void>;
  /** Resolves when the session is over and no answer is under way any more. It never rejects. */
  readonly ended: Promise<SessionEnd>;

  readonly #fd: number;
  readonly #service: Service;
  readonly #failures: FailureLog;
  readonly #polling: AdaptivePolling;
  readonly #load = new HostLoad();
  readonly #placement = new Placement(new HostCores(), this.#load);
  readonly #notifier: Notifier;
  #watch: ReadableWatch | undefined;
  #isOver = false;
  /** A burst is to begin at the next turn of the event loop. */
  #isScheduled = false;
  #refusal: Error | undefined;
  #becomeReady!: () => void;
  #failReady!: (error: Error) => void;
  #resolveEnded!: (end: SessionEnd) => void;

  constructor(options: SessionOptions) {
    this.trace = options.trace ?? new FuseTrace();
    this.#fd = options.fd;
    this.#notifier = new Notifier(options.fd);
    this.#failures = new FailureLog(options.log);
    this.#polling = new AdaptivePolling(this.#load);
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failReady = reject;
    });
    // Whoever does not wait for it learns of a failure from `ended`.
    this.ready.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#service = new Service({
      filesystem: options.filesystem,
      device: options.fd,
      writebackCache: options.writebackCache,
      initialised: options.initialised,
      connection: options.connection ?? 0,
      trace: this.trace,
      failures: this.#failures,
      answer: (reply, length) => this.#send(reply, length),
      send: (reply, length) => this.#sendLater(reply, length),
      notify: (notification) => this.notify(notification),
      onInitialised: () => this.#becomeReady(),
      onRefused: (error) => {
        this.#refusal = error;
      },
    });
    if (options.initialised) {
      this.#becomeReady();
    }
  }

  /** Begins to serve, and keeps the process alive until the session is over. */
  start(): void {
    const watch = watchReadable(this.#fd, this.#serve);
    if (typeof watch === 'number') {
      this.#end({ reason: 'failed', error: new Error(`the FUSE device cannot be watched: ${errnoName(watch)}`) });
      return;
    }
    this.#watch = watch;
    watch.start();
  }

  /**
   * Takes no more requests, once no notification is under way (the kernel may need requests served to be done with one). Resolves
   * with `ended`. The mount stays, and requests wait in the kernel for another session.
   */
  async stop(): Promise<SessionEnd> {
    await this.#notifier.idle();
    this.#end({ reason: 'stopped' });
    return this.ended;
  }

  /** Gives up those of some inodes without a name which the kernel does not know any more. */
  async reconsider(inos: Iterable<Ino>): Promise<void> {
    for (const ino of inos) {
      await this.#service.references.reconsider(ino);
    }
  }

  /**
   * Sends a notification (see notify.ts). Resolves with the positive errno, 0 for none. The kernel may need other requests
   * served before it is done.
   */
  notify(notification: Uint8Array): Promise<number> {
    return this.#isOver ? Promise.resolve(constants.errno.ENODEV) : this.#notifier.send(notification);
  }

  /** One burst. Also called when the device has failed, which the next read tells. */
  readonly #serve = (): void => {
    const service = this.#service;
    const fd = this.#fd;
    const endMs = performance.now() + BURST_MS_MAX;
    const deferredBefore = service.deferredCount;
    let replyLength = 0;
    let untilClock = REQUESTS_PER_CLOCK;
    while (!this.#isOver) {
      // What was left for later begins when the burst ends: it takes the requests that are there, and does not look for more.
      const hasDeferred = service.deferredCount !== deferredBefore;
      const budget = hasDeferred || this.#placement.isBesideClient ? 0 : this.#polling.budget();
      const received = exchange(fd, service.reply.bytes, replyLength, service.request.bytes, budget);
      if (budget > 0) {
        this.#polling.observe(received > 0);
      }
      if (received === 0) {
        if (hasDeferred) {
          this.#serveSoon();
        }
        return;
      }
      if (received < 0) {
        this.#failed(received, replyLength > 0);
        replyLength = 0;
        continue;
      }
      service.hasLoneClient = this.#placement.hasLoneClient && !hasDeferred;
      replyLength = service.serve(received);
      this.#placement.observe(service.request.caller.pid);
      if (this.#refusal !== undefined) {
        this.#send(service.reply, replyLength);
        this.#end({ reason: 'failed', error: this.#refusal });
        return;
      }
      if (--untilClock === 0) {
        untilClock = REQUESTS_PER_CLOCK;
        if (performance.now() >= endMs) {
          this.#send(service.reply, replyLength);
          this.#serveSoon();
          return;
        }
      }
    }
  };

  /**
   * Judges a negative result of an exchange. Where a reply was part of it, the reply may be what the kernel did not like: it has
   * then answered EIO in its place, and the next read tells whether the device is well.
   */
  #failed(result: number, withReply: boolean): void {
    if (GONE.has(result)) {
      this.#end({ reason: 'unmounted' });
      return;
    }
    const error = new Error(`the FUSE device fails with ${errnoName(result)}`);
    this.#failures.report(error);
    if (!withReply) {
      this.#end({ reason: 'failed', error });
    }
  }

  #send(reply: Reply, length: number): void {
    if (length === 0) {
      return;
    }
    const result = send(this.#fd, reply.bytes, length);
    if (result < 0 && !GONE.has(result)) {
      this.#failures.report(new Error(`a reply could not be sent: ${errnoName(result)}`));
    }
  }

  /** A reply outside of a burst: a new one begins, because who has waited for it is likely to ask for more. */
  #sendLater(reply: Reply, length: number): void {
    this.#send(reply, length);
    this.#serveSoon();
  }

  #serveSoon(): void {
    if (this.#isScheduled) {
      return;
    }
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#serve();
    });
  }

  #end(end: SessionEnd): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#watch?.close();
    this.#load.close();
    this.#placement.close();
    this.#failReady(end.reason === 'failed' ? end.error : new Error('the session ended before it was ready'));
    void this.#underWay().then(() => this.#resolveEnded(end));
  }

  async #underWay(): Promise<void> {
    await this.#notifier.idle();
    await this.#service.settled();
  }
}
