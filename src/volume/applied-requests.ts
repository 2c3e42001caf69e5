/**
 * The numbers of the requests whose changes were applied last.
 *
 * When a process that served a mount dies, the kernel sends the requests that had no reply again to its successor. Those that had
 * been applied must not be applied twice: their numbers are in the log, and with each checkpoint the latest are kept in the tree.
 * A request without a reply is among the latest: no client has more than one change waiting, and later ones wait with it.
 */

export const APPLIED_REQUESTS_KEPT = 256;

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

  /** All numbers, those of unused places being 0. */
  get numbers(): Readonly<Float64Array> {
    return this.#numbers;
  }
}
