/**
 * The numbers of the requests whose changes were applied last.
 *
 * When a process that served a mount dies, the kernel sends the requests that had no reply again to its successor. Those that had
 * been applied must not be applied twice: their numbers are in the log, and with each checkpoint the latest are kept in the tree.
 * A request without a reply is among the latest: a client waits for one change at a time, and where changes are to be durable before
 * they are answered, as many wait as there are clients. When what is sent again is applied again, as a WRITE is, it counts once more.
 */

export const APPLIED_REQUESTS_KEPT = 4096;

export class AppliedRequests {
  readonly #numbers = new Float64Array(APPLIED_REQUESTS_KEPT);
  #next = 0;

  /** A change was logged; 0 is no request. */
  note(request: number): void {
    if (request === 0) return;
    this.#numbers[this.#next] = request;
    this.#next = (this.#next + 1) % APPLIED_REQUESTS_KEPT;
  }

  has(request: number): boolean {
    return request !== 0 && this.#numbers.includes(request);
  }

  clear(): void {
    this.#numbers.fill(0);
  }

  /** All numbers, the latest last: whoever notes them in this order forgets the oldest first, too. */
  all(): Float64Array {
    const all = new Float64Array(APPLIED_REQUESTS_KEPT);
    all.set(this.#numbers.subarray(this.#next));
    all.set(this.#numbers.subarray(0, this.#next), APPLIED_REQUESTS_KEPT - this.#next);
    return all.filter((number) => number !== 0);
  }
}
