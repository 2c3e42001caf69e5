/**
 * The present for time stamps: milliseconds since 1970, with a fraction.
 *
 * Date.now() goes by the host's clock, which is set while the mount lives (NTP at the start of a machine without a clock of its own) and
 * counts on while the machine sleeps. But it counts whole milliseconds, and several changes fall into one. performance.now() is
 * finer and knows of neither, so it tells only how far within its millisecond the present is.
 */

/** The last instant of a millisecond: a microsecond before the next, which a number of this size can still tell. */
const LAST_FRACTION = 1 - 1 / 1024;

export function wallClock(wholeMs = () => Date.now(), fineMs = () => performance.now()): () => number {
  let offset = wholeMs() - fineMs();
  return () => {
    const whole = wholeMs();
    const now = offset + fineMs();
    const within = Math.min(Math.max(now, whole), whole + LAST_FRACTION);
    offset += within - now;
    return within;
  };
}
