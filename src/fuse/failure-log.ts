/**
 * Failures that are nobody's refusal: damage, a failing disk, a mistake in this program. The caller of the operation sees an
 * errno; the operator finds the rest in the log. One that repeats at the speed of requests is told of once in a while.
 */
import { CorruptionError } from '../errors/corruption.js';
import { Errno } from '../errors/errno.js';
import { DiskError } from '../store/disk.js';
import type { Request } from './request.js';
import { describeRequest } from './trace.js';

/** What pino's logger does of it. */
export interface FailureSink {
  error(details: object, message: string): void;
}

/** The same failure is written at most this often. */
const REPEAT_MS_MIN = 10_000;
/** Failures that differ and are remembered for that. */
const REMEMBERED_MAX = 256;

interface Seen {
  writtenAtMs: number;
  suppressed: number;
}

export class FailureLog {
  readonly #sink: FailureSink;
  readonly #seen = new Map<string, Seen>();

  constructor(sink: FailureSink) {
    this.#sink = sink;
  }

  /** Notes `error`, unless it is a refusal; `request` is the one that met it, where that is known. */
  report(error: unknown, request?: Request): void {
    if (error instanceof Errno) {
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const now = performance.now();
    const seen = this.#seen.get(message);
    if (seen !== undefined && now - seen.writtenAtMs < REPEAT_MS_MIN) {
      seen.suppressed++;
      return;
    }
    if (this.#seen.size >= REMEMBERED_MAX) {
      this.#seen.clear();
    }
    this.#seen.set(message, { writtenAtMs: now, suppressed: 0 });
    const isForeseen = error instanceof CorruptionError || error instanceof DiskError;
    this.#sink.error(
      {
        ...(request === undefined ? {} : { request: describeRequest(request) }),
        ...(seen === undefined || seen.suppressed === 0 ? {} : { alsoSuppressed: seen.suppressed }),
        // A stack says something only about mistakes of the program.
        ...(isForeseen || !(error instanceof Error) ? {} : { stack: error.stack }),
      },
      message,
    );
  }
}
