/**
 * When to stop starting workers: one that dies again and again has a reason that starting another does not remove.
 */

/** That many deaths … */
export const DEATHS_MAX = 5;
/** … within this time are too many. Milliseconds. */
export const DEATHS_WITHIN_MS = 60_000;

export class DeathWatch {
  readonly #times: number[] = [];
  readonly #deathsMax: number;

  constructor(deathsMax = DEATHS_MAX) {
    this.#deathsMax = deathsMax;
  }

  /** Notes a death at a time in milliseconds. Returns whether there were too many of late. */
  note(atMs: number): boolean {
    this.#times.push(atMs);
    while (this.#times.length > this.#deathsMax) {
      this.#times.shift();
    }
    return this.#times.length === this.#deathsMax && atMs - this.#times[0]! < DEATHS_WITHIN_MS;
  }
}
