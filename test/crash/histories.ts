/**
 * Histories: the alphabet of the exhaustive ones, random ones, and how they are written down.
 */
import type { Random } from '../random.js';
import type { Step } from './model.js';

/** A file of this size has a blob of its own. */
export const LARGE_BYTES = 40_000;

/** The steps that exhaustive histories are made of, on a namespace of a few names. */
export const ALPHABET: readonly Step[] = [
  { op: 'create', path: 'a' },
  { op: 'write', path: 'a', at: 0, length: 300 },
  { op: 'write', path: 'a', at: 100, length: LARGE_BYTES },
  { op: 'truncate', path: 'a', size: 5000 },
  { op: 'truncate', path: 'a', size: 0 },
  { op: 'rename', path: 'a', to: 'b' },
  { op: 'link', path: 'a', to: 'd/c' },
  { op: 'unlink', path: 'a' },
  { op: 'unlink', path: 'b' },
  { op: 'mkdir', path: 'd' },
  { op: 'rmdir', path: 'd' },
  { op: 'setxattr', path: 'a', length: 50 },
  { op: 'fsync', path: 'a' },
  { op: 'checkpoint' },
  { op: 'forget' },
];

const FILES = ['a', 'b', 'c', 'd/a', 'd/b', 'e/a', 'd/f/a'];
const DIRECTORIES = ['d', 'e', 'd/f'];
const PATHS = [...FILES, ...DIRECTORIES];
const SIZES = [1, 10, 511, 512, 4096, 5000, 20_000, 32_768, 32_769, LARGE_BYTES, 65_536, 100_000];

/** How often each step comes, in parts of the sum. */
const WEIGHTS: readonly (readonly [number, (random: Random) => Step])[] = [
  [10, (random) => ({ op: 'create', path: random.pick(FILES) })],
  [5, (random) => ({ op: 'mkdir', path: random.pick(DIRECTORIES) })],
  [2, (random) => ({ op: 'symlink', path: random.pick(FILES) })],
  [
    16,
    (random) => ({
      op: 'write',
      path: random.pick(FILES),
      at: random.pick([0, 0, ...SIZES]),
      length: random.pick(SIZES),
    }),
  ],
  [9, (random) => ({ op: 'truncate', path: random.pick(FILES), size: random.pick([0, ...SIZES]) })],
  [
    2,
    (random) => ({ op: 'punch', path: random.pick(FILES), at: random.pick([0, ...SIZES]), length: random.pick(SIZES) }),
  ],
  [
    1,
    (random) => ({
      op: 'allocate',
      path: random.pick(FILES),
      at: random.pick([0, ...SIZES]),
      length: random.pick(SIZES),
    }),
  ],
  [10, (random) => ({ op: 'rename', path: random.pick(PATHS), to: random.pick(PATHS) })],
  [2, (random) => ({ op: 'exchange', path: random.pick(PATHS), to: random.pick(PATHS) })],
  [4, (random) => ({ op: 'link', path: random.pick(FILES), to: random.pick(FILES) })],
  [6, (random) => ({ op: 'unlink', path: random.pick(FILES) })],
  [2, (random) => ({ op: 'rmdir', path: random.pick(DIRECTORIES) })],
  [3, (random) => ({ op: 'setxattr', path: random.pick(PATHS), length: random.pick([0, 5, 300, 5000]) })],
  [1, (random) => ({ op: 'removexattr', path: random.pick(PATHS) })],
  [2, (random) => ({ op: 'chmod', path: random.pick(PATHS) })],
  [5, (random) => ({ op: 'fsync', path: random.pick(PATHS) })],
  [6, (random) => ({ op: 'startFsync', path: random.pick(PATHS) })],
  [1, () => ({ op: 'commit' })],
  [3, () => ({ op: 'startCommit' })],
  [2, () => ({ op: 'checkpoint' })],
  [3, () => ({ op: 'startCheckpoint' })],
  [3, () => ({ op: 'forget' })],
  [18, (random) => ({ op: 'complete', index: random.below(8) })],
];
const SNAPSHOTS = ['s', 't', 'u'];
const KEPT = ['k', 'l'];
const CLONES = ['v', 'w'];
const LARGE_FILES = ['a', 'b'];

/** The same of steps on snapshots, in histories that have them. */
const SNAPSHOT_WEIGHTS: readonly (readonly [number, (random: Random) => Step])[] = [
  [12, (random) => ({ op: 'snapshot', name: random.pick(SNAPSHOTS) })],
  [6, (random) => ({ op: 'startSnapshot', name: random.pick(SNAPSHOTS) })],
  [8, (random) => ({ op: 'destroy', name: random.pick([...SNAPSHOTS, ...KEPT]) })],
  [6, (random) => ({ op: 'rollback', name: random.pick([...SNAPSHOTS, ...KEPT]), keep: random.pick(KEPT) })],
  [4, (random) => ({ op: 'rollback', name: random.pick(SNAPSHOTS) })],
  [5, (random) => ({ op: 'reset', name: random.pick(SNAPSHOTS), path: random.pick(PATHS), keep: random.pick(KEPT) })],
  [4, (random) => ({ op: 'restore', name: random.pick(SNAPSHOTS), path: random.pick(PATHS), keep: random.pick(KEPT) })],
  [5, (random) => ({ op: 'clone', name: random.pick(SNAPSHOTS), volume: random.pick(CLONES) })],
  [3, (random) => ({ op: 'destroyClone', volume: random.pick(CLONES) })],
  [14, (random) => ({ op: 'within', volume: random.pick(CLONES), step: randomStep(random, false) })],
  [8, () => ({ op: 'reap' })],
  // Large files, and changes to a little of them, which are then shared with what was there before.
  [8, (random) => ({ op: 'write', path: random.pick(LARGE_FILES), at: 0, length: random.pick([100_000, 200_000]) })],
  [
    14,
    (random) => ({
      op: 'write',
      path: random.pick(LARGE_FILES),
      at: random.pick([0, 70_000, ...SIZES]),
      length: random.pick([1, 10, 5000]),
    }),
  ],
  [
    14,
    (random) => ({
      op: 'writeBack',
      path: random.pick(LARGE_FILES),
      at: random.pick([0, 8192, 70_000]),
      length: random.pick([10, 5000]),
    }),
  ],
];

/** How lives end, within a history. */
const ENDS: readonly ((random: Random) => Step)[] = [
  () => ({ op: 'kill' }),
  () => ({ op: 'kill' }),
  (random) => ({ op: 'power', seed: random.below(1e6) }),
  () => ({ op: 'remount' }),
];
const SNAPSHOT_WEIGHT_SUM = SNAPSHOT_WEIGHTS.reduce((sum, [weight]) => sum + weight, 0);
const WEIGHT_SUM = WEIGHTS.reduce((sum, [weight]) => sum + weight, 0);

function randomStep(random: Random, hasSnapshots: boolean): Step {
  const weights = hasSnapshots ? [...WEIGHTS, ...SNAPSHOT_WEIGHTS] : WEIGHTS;
  let at = random.below(hasSnapshots ? WEIGHT_SUM + SNAPSHOT_WEIGHT_SUM : WEIGHT_SUM);
  for (const [weight, make] of weights) {
    at -= weight;
    if (at < 0) return make(random);
  }
  return { op: 'forget' };
}

/** A history of several lives, with snapshots in it or not. */
export function randomHistory(random: Random, length: number, hasSnapshots = false): Step[] {
  const steps: Step[] = [
    { op: 'mkdir', path: 'd' },
    { op: 'create', path: 'a' },
  ];
  const endPercent = random.pick([0, 3, 10]);
  for (let count = 0; count < length; count++) {
    steps.push(random.below(100) < endPercent ? random.pick(ENDS)(random) : randomStep(random, hasSnapshots));
  }
  return steps;
}

/** A history as lines that can be pasted into a test. */
export const formatHistory = (steps: readonly Step[]): string =>
  steps.map((step) => `  ${JSON.stringify(step)},`).join('\n');
