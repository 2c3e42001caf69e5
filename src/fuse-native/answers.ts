/**
 * How callbacks of libfuse are answered: with what the operation gives, or with the negative errno of what it throws.
 *
 * INVARIANTS:
 * - Each callback is answered exactly once, whatever the file system throws: a thread of libfuse waits for it.
 * - No change is answered before `pendingCommit` has resolved.
 * - After `end` the file system is not asked any more.
 */
import { ENOTCONN, Errno } from '../errors/errno.js';
import { errnoOf } from '../filesystem/errno-of.js';
import type { FileSystemOperations } from '../filesystem/operations.js';

/** Receives 0 and what was asked for, or a negative errno. */
type Answer<T> = (result: number, value?: T) => void;

export class Answers {
  readonly #filesystem: FileSystemOperations;
  readonly #report: (failure: unknown) => void;
  readonly #waiting = new Set<Promise<void>>();
  #hasEnded = false;

  /** `report` is told of failures that are not the callers' doing. */
  constructor(filesystem: FileSystemOperations, report: (failure: unknown) => void) {
    this.#filesystem = filesystem;
    this.#report = report;
  }

  /** Answers with what `operation` returns. */
  give<T>(answer: Answer<T>, operation: () => T): void {
    let value: T;
    try {
      value = this.#run(operation);
    } catch (error) {
      answer(this.#negativeErrno(error));
      return;
    }
    answer(0, value);
  }

  /** Answers with what `operation`, which changes something, returns, once that is as durable as it has to be. */
  change<T>(answer: Answer<T>, operation: () => T): void {
    let value: T;
    let commit: Promise<void> | undefined;
    try {
      value = this.#run(operation);
      commit = this.#filesystem.pendingCommit();
    } catch (error) {
      answer(this.#negativeErrno(error));
      return;
    }
    if (commit === undefined) {
      answer(0, value);
    } else {
      this.#later(
        commit,
        () => answer(0, value),
        (result) => answer(result),
      );
    }
  }

  /** Answers with the number that `operation` gives, at once or later. */
  count(answer: (result: number) => void, operation: () => number | Promise<number>): void {
    let value: number | Promise<number>;
    try {
      value = this.#run(operation);
    } catch (error) {
      answer(this.#negativeErrno(error));
      return;
    }
    if (typeof value === 'number') {
      answer(value);
    } else {
      this.#later(value, answer, answer);
    }
  }

  /** Refuses everything from now on. Resolves when no operation is under way any more. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    while (this.#waiting.size > 0) {
      await Promise.all(this.#waiting);
    }
  }

  #run<T>(operation: () => T): T {
    if (this.#hasEnded) {
      throw ENOTCONN;
    }
    return operation();
  }

  #later<T>(promise: Promise<T>, succeed: (value: T) => void, fail: (result: number) => void): void {
    const done = promise
      .then(succeed, (error: unknown) => fail(this.#negativeErrno(error)))
      .then(() => {
        this.#waiting.delete(done);
      });
    this.#waiting.add(done);
  }

  #negativeErrno(error: unknown): number {
    if (!(error instanceof Errno)) {
      this.#report(error);
    }
    return -errnoOf(error);
  }
}
