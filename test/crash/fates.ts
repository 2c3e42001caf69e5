/**
 * What a loss of power may leave of what was not synced: the two extremes, and random choices.
 */
import type { Random } from '../random.js';
import type { Fate } from './simulated-inode.js';

/** Only what was synced is left. */
export const LOSE_ALL: Fate = {
  sizeChanges: () => 0,
  page: () => 0,
  tornSectors: () => 0,
  entry: () => 0,
};

/** Everything had reached the disk by itself. */
export const KEEP_ALL: Fate = {
  sizeChanges: (count) => count,
  page: (count) => count - 1,
  tornSectors: () => 0,
  entry: (count) => count - 1,
};

/** A loss of power of its own temper: from one that keeps nearly nothing to one that loses nearly nothing. */
export function randomFate(random: Random): Fate {
  const keepPercent = random.pick([10, 50, 90, 97]);
  const tornPercent = random.pick([0, 0, 30]);
  const keeps = (): boolean => random.below(100) < keepPercent;
  return {
    sizeChanges: (count) => (keeps() ? count : random.below(count + 1)),
    page: (count) => (keeps() ? count - 1 : random.below(count)),
    tornSectors: () => (random.below(100) < tornPercent ? random.below(256) : 0),
    entry: (count) => (keeps() ? count - 1 : random.below(count)),
  };
}
