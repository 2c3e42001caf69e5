/**
 * The time of day in milliseconds with fractions, for time stamps.
 *
 * Only a clock that counts on from the start of the process is that fine, and it notices neither that the system's clock has been set nor
 * that the machine has slept. So it is compared with the system's clock each time, and set when they are apart.
 */

/** Beyond the whole millisecond that the system's clock is rounded down to. */
const APART_MS_MAX = 1;

interface Clocks {
  /** Whole milliseconds since 1970. */
  system(): number;
  /** Milliseconds from some time on, with fractions. */
  steady(): number;
}

const CLOCKS: Clocks = { system: Date.now, steady: () => performance.now() };

/** Makes a clock: milliseconds since 1970. */
export function wallClock({ system, steady }: Clocks = CLOCKS): () => number {
  let offsetMs = system() - steady();
  return () => {
    const now = offsetMs + steady();
    const wall = system();
    const set = now < wall - APART_MS_MAX ? wall : now > wall + 1 + APART_MS_MAX ? wall + 1 : now;
    offsetMs += set - now;
    return set;
  };
}
