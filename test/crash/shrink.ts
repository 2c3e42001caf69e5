/**
 * Makes a failing history short: leaves out steps for as long as what is left still fails, in whatever way.
 */
import type { Step } from './model.js';

/** `fails` runs a history and returns why it fails, or undefined. Gives up improving after `seconds`. */
export async function shrink(
  steps: readonly Step[],
  fails: (steps: readonly Step[]) => Promise<string | undefined>,
  seconds: number,
): Promise<{ readonly steps: readonly Step[]; readonly reason: string } | undefined> {
  const end = performance.now() + seconds * 1000;
  let reason = await fails(steps);
  if (reason === undefined) return undefined;
  let best = steps;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length; ) {
      if (performance.now() > end) return { steps: best, reason };
      const shorter = [...best.slice(0, at), ...best.slice(at + size)];
      const stillFails = await fails(shorter);
      if (stillFails === undefined) {
        at += size;
      } else {
        best = shorter;
        reason = stillFails;
      }
    }
  }
  return { steps: best, reason };
}
