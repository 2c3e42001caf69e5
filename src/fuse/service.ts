/**
 * Answers requests: finds the operation in the table, calls its handler, and makes a reply of whatever comes of it.
 *
 * It knows no device. The session gives it one request after the other in `request` and sends what it finds in `reply`. A change is
 * answered earlier, through `answer`, once it has been logged; replies that come later go through `send`.
 *
 * INVARIANTS:
 * - A request that wants a reply gets exactly one, whatever its bytes and whatever the file system throws.
 * - No reply to a change is sent before it has been logged and, where changes are to be durable, `pendingCommit` has resolved.
 * - The buffer of `request` is not touched after `serve` has returned.
 */
import { EINVAL, ENOSYS, Errno } from '../errors/errno.js';
import { Attributes } from '../filesystem/attributes.js';
import { errnoOf } from '../filesystem/errno-of.js';
import { DELIVERED, type FileSystemOperations, type FileSystemStatistics } from '../filesystem/operations.js';
import type { Ino } from '../store/units.js';
import { fuse_entry_out } from './abi-structs.js';
import { ReplyDelivery } from './delivery.js';
import { DirectoryPage } from './directory-page.js';
import type { FailureLog } from './failure-log.js';
import { DATA_BYTES_MAX } from './negotiation.js';
import { DEFERRED, type Handler, NO_REPLY, type Operation } from './operation.js';
import { OPERATIONS } from './operation-table.js';
import { References } from './references.js';
import { PAYLOAD, Reply } from './reply.js';
import { BODY, Request } from './request.js';
import type { FuseTrace } from './trace.js';

/** Room for the headers and structs around the data, and for requests without data: names of up to 4 KiB, twice. */
const MESSAGE_BYTES_MAX = DATA_BYTES_MAX + 16_384;
/** Payload bytes of replies that wait on their own: the largest is a fuse_statx_out. */
const SMALL_PAYLOAD_MAX = 512;
/** Large replies kept for another use. */
const SPARE_REPLIES_MAX = 4;

export interface ServiceOptions {
  readonly filesystem: FileSystemOperations;
  /** The descriptor that takes replies, from any thread. */
  readonly device: number;
  /** Let the kernel collect writes in its page cache, and write them back later. */
  readonly writebackCache: boolean;
  /** An earlier process has answered INIT on this connection. */
  readonly initialised: boolean;
  /** Tells the requests of several mounts of one store apart. */
  readonly connection?: number;
  readonly trace: FuseTrace;
  readonly failures: FailureLog;
  /** Sends a reply at once, while its request is still being served. */
  answer(reply: Reply, length: number): void;
  /** Sends a reply that was not given at once. */
  send(reply: Reply, length: number): void;
  /**
   * Writes a notification to the kernel without waiting for it on this thread. Resolves with the positive errno, 0 for none.
   */
  notify(notification: Uint8Array): Promise<number>;
  onInitialised(): void;
  /** The kernel is too old to be served; the session is to end after the reply. */
  onRefused(error: Error): void;
}

export class Service {
  readonly filesystem: FileSystemOperations;
  readonly options: ServiceOptions;
  readonly request: Request;
  /** Where the answer to the present request goes; another object once a handler has taken it away. */
  reply = new Reply(MESSAGE_BYTES_MAX);
  /** For one call at a time. */
  readonly attributes = new Attributes();
  readonly statistics: FileSystemStatistics = {
    blockSize: 0,
    blocks: 0,
    blocksFree: 0,
    blocksAvailable: 0,
    files: 0,
    filesFree: 0,
    nameLengthMax: 0,
  };
  readonly references: References;
  readonly directoryPage: DirectoryPage;
  readonly delivery: ReplyDelivery;

  /** One client waits for this thread, and nobody else: it may block for a short time. */
  hasLoneClient = false;

  readonly #spare: Reply[] = [];
  readonly #waiting = new Set<Promise<void>>();
  #deferredCount = 0;
  /** The positive errno with which the present request is refused; 0 for none. */
  #refusal = 0;
  /** Writes the answer to the present request once its change is logged; undefined where the answer has to wait for the handler. */
  #answer: Handler | undefined;
  /** The answer to the present request has gone out. */
  #isAnswered = false;

  constructor(options: ServiceOptions) {
    this.options = options;
    this.request = new Request(MESSAGE_BYTES_MAX, options.connection, () => this.#onLogged());
    this.filesystem = options.filesystem;
    this.references = new References({
      filesystem: options.filesystem,
      failures: options.failures,
      complete: !options.initialised,
      notify: (notification) => options.notify(notification),
    });
    this.delivery = new ReplyDelivery(this, options.device);
    this.directoryPage = new DirectoryPage(options.filesystem, this.references, options.failures);
  }

  /** Serves the `length` bytes in `request`; returns the length of what is to be sent from `reply`, 0 for nothing yet. */
  serve(length: number): number {
    const { request } = this;
    if (!request.load(length)) {
      return 0;
    }
    const { trace } = this.options;
    trace.request(request);
    const operation = OPERATIONS[request.opcode];
    let payloadLength = 0;
    this.#refusal = 0;
    this.#answer = undefined;
    this.#isAnswered = false;
    try {
      if (operation === undefined) {
        throw ENOSYS;
      }
      if (!request.isWhole || length < BODY + operation.bodyBytesMin) {
        throw EINVAL;
      }
      payloadLength = this.#handlerOf(operation)(this);
      if (operation.changes && payloadLength >= 0) {
        payloadLength = this.#afterCommit(payloadLength);
      }
    } catch (error) {
      this.#refusal = this.#errnoOf(error, request);
      payloadLength = operation?.noReply === true ? NO_REPLY : 0;
    }
    if (this.#isAnswered) return 0;
    trace.answer(request, this.#refusal, payloadLength);
    if (payloadLength < 0) {
      return 0;
    }
    return this.reply.header(request.uniqueLow, request.uniqueHigh, this.#refusal, payloadLength);
  }

  /**
   * Makes a change, and answers with what `answer` writes, once: as soon as the change has been logged, so that whoever waits for the
   * answer wakes up while it is applied; or else when `change` returns. Returns the length of the payload, NO_REPLY when the answer has
   * gone out.
   */
  answerOnceLogged(answer: Handler, change: () => void): number {
    this.#answer = answer;
    change();
    return this.#isAnswered ? NO_REPLY : answer(this);
  }

  /** The change that the present request makes has been logged. What is to be durable first waits for `pendingCommit`. */
  #onLogged(): void {
    if (this.#answer === undefined || this.#isAnswered || this.filesystem.isSync) return;
    const { request, reply, options } = this;
    const payloadLength = this.#answer(this);
    this.#isAnswered = true;
    options.trace.answer(request, 0, payloadLength);
    options.answer(reply, reply.header(request.uniqueLow, request.uniqueHigh, 0, payloadLength));
  }

  /** Refuses the present request, which costs less than throwing. Returns the length of the payload. */
  refuse(errno: Errno): number {
    this.#refusal = errno.number;
    return 0;
  }

  /** Replies without a payload once a node is durable: at once if nobody else waits, or when `sync`, which is called, has done it. */
  replyWhenDurable(node: Ino, sync: () => Promise<void>): number {
    if (this.hasLoneClient && this.filesystem.syncAtOnce(node)) return 0;
    return this.replyLater(
      this.smallReply(),
      sync().then(() => 0),
    );
  }

  /** Replies with `attributes` as a new directory entry; returns the length of the payload. */
  replyEntry(): number {
    this.reply.entry(PAYLOAD, this.attributes);
    this.references.handedOut(this.attributes.ino);
    return fuse_entry_out.sizeof;
  }

  /** A reply of its own for a short answer that comes later. */
  smallReply(): Reply {
    return new Reply(PAYLOAD + SMALL_PAYLOAD_MAX);
  }

  /** Takes the present reply away, to be filled while other requests are served. */
  detachReply(): Reply {
    const { reply } = this;
    this.reply = this.#spare.pop() ?? new Reply(MESSAGE_BYTES_MAX);
    return reply;
  }

  /**
   * Sends `reply` to the present request once the promise has told the length of its payload, or that it was sent already
   * (DELIVERED), or failed.
   */
  replyLater(reply: Reply, payloadLength: Promise<number>): number {
    const { uniqueLow, uniqueHigh } = this.request;
    this.#deferredCount++;
    const sent = payloadLength.then(
      (length) => {
        if (length !== DELIVERED) this.options.send(reply, reply.header(uniqueLow, uniqueHigh, 0, length));
      },
      (error: unknown) => this.options.send(reply, reply.header(uniqueLow, uniqueHigh, this.#errnoOf(error), 0)),
    );
    const done = sent.then(() => {
      this.#waiting.delete(done);
      if (reply.bytes.length === MESSAGE_BYTES_MAX && this.#spare.length < SPARE_REPLIES_MAX) {
        this.#spare.push(reply);
      }
    });
    this.#waiting.add(done);
    return DEFERRED;
  }

  /** How many replies were left for later since the beginning. */
  get deferredCount(): number {
    return this.#deferredCount;
  }

  /** Resolves once all replies that were to come later have been sent. */
  async settled(): Promise<void> {
    while (this.#waiting.size > 0) {
      await Promise.all(this.#waiting);
    }
  }

  #handlerOf(operation: Operation): Handler {
    const { request, filesystem } = this;
    return operation.applied !== undefined && request.isResent && filesystem.wasApplied(request.caller.request)
      ? operation.applied
      : operation.handler;
  }

  #afterCommit(payloadLength: number): number {
    const commit = this.filesystem.pendingCommit(this.hasLoneClient);
    if (commit === undefined) {
      return payloadLength;
    }
    const reply = this.smallReply();
    reply.bytes.set(this.reply.bytes.subarray(PAYLOAD, PAYLOAD + payloadLength), PAYLOAD);
    return this.replyLater(
      reply,
      commit.then(() => payloadLength),
    );
  }

  #errnoOf(error: unknown, request?: Request): number {
    if (!(error instanceof Errno)) {
      this.options.failures.report(error, request);
    }
    return errnoOf(error);
  }
}
