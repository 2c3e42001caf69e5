/**
 * Runs a history, crashes it wherever asked, and checks what recovery makes of each crash.
 */
import type { Random } from '../random.js';
import { type CrashKind, checkRecovered } from './checker.js';
import { KEEP_ALL, LOSE_ALL, randomFate } from './fates.js';
import type { Step } from './model.js';
import { type Past, type Promises, Session, Violation } from './session.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { Fate } from './simulated-inode.js';
import { leftoverBlobs, structuralProblem } from './structure.js';

/** A moment at which a crash may happen. The disk is a copy. */
interface CrashPoint {
  readonly disk: SimulatedDisk;
  readonly promises: Promises;
  readonly after: string;
}

export interface Tally {
  histories: number;
  crashStates: number;
  /** Of those, crashes while recovering from another. */
  duringRecovery: number;
}

export const newTally = (): Tally => ({ histories: 0, crashStates: 0, duringRecovery: 0 });

export interface ExploreOptions {
  readonly random: Random;
  readonly tally: Tally;
  readonly durability?: 'sync' | 'interval';
  /** Whether to crash before this disk operation of this step. */
  readonly crashesAt: (step: number) => boolean;
  /** Losses of power with random choices, beside the two extremes. */
  readonly randomFates: number;
  /** Of 100 recoveries, how many are crashed in turn. */
  readonly recoveryCrashPercent: number;
  /** Of 100 recovered volumes, how many are worked with, closed and opened again. */
  readonly aftercarePercent: number;
}

const bootId = (life: number): string => life.toString(16).padStart(32, '0');
const AFTERCARE: readonly Step[] = [
  { op: 'create', path: 'after' },
  { op: 'write', path: 'after', at: 0, length: 700 },
  { op: 'create', path: 'after large' },
  { op: 'write', path: 'after large', at: 10, length: 40_000 },
  { op: 'fsync', path: 'after large' },
  { op: 'unlink', path: 'after' },
  { op: 'forget' },
];

/** A violation, with all that is needed to see it again. */
export class FoundViolation extends Error {
  readonly steps: readonly Step[];

  constructor(steps: readonly Step[], where: string, cause: unknown) {
    super(`${where}: ${cause instanceof Violation ? cause.message : (cause as Error).stack}`, { cause });
    this.steps = steps;
  }
}

/** Runs the steps from a store (which stays as it is), and checks the crashes. Throws FoundViolation. */
export async function explore(store: SimulatedDisk, steps: readonly Step[], options: ExploreOptions): Promise<void> {
  options.tally.histories++;
  const { random } = options;
  const disk = store.afterProcessDeath();
  const points: CrashPoint[] = [];
  let session: Session | undefined;
  let where = 'opening';
  try {
    session = await Session.open(disk, {
      bootId: bootId(1),
      ...(options.durability === undefined ? {} : { durability: options.durability }),
      pick: (count) => random.below(count),
    });
    for (const [index, step] of steps.entries()) {
      where = `step ${index} (${step.op})`;
      const living = session;
      if (options.crashesAt(index)) {
        disk.observe = ({ kind, path }) => {
          if (kind === 'read') return;
          points.push({
            disk: disk.afterProcessDeath(),
            promises: living.promises(),
            after: `${where}, before ${kind} ${path}`,
          });
        };
      }
      await session.run(step);
      disk.observe = () => undefined;
      if (options.crashesAt(index)) {
        points.push({ disk: disk.afterProcessDeath(), promises: session.promises(), after: where });
      }
    }
    where = 'comparing';
    await session.compare();
  } catch (error) {
    throw new FoundViolation(steps, where, error);
  } finally {
    disk.observe = () => undefined;
    await session?.abandon();
  }
  for (const point of points) await checkPoint(session, point, steps, options);
}

async function checkPoint(
  past: Past,
  point: CrashPoint,
  steps: readonly Step[],
  options: ExploreOptions,
): Promise<void> {
  const { random } = options;
  const fates: { name: string; fate: Fate | undefined }[] = [
    { name: 'process death', fate: undefined },
    { name: 'power loss, all unsynced lost', fate: LOSE_ALL },
  ];
  if (point.disk.hasUnsynced) {
    fates.push({ name: 'power loss, all kept', fate: KEEP_ALL });
    for (let i = 0; i < options.randomFates; i++) fates.push({ name: 'power loss', fate: randomFate(random) });
  }
  for (const { name, fate } of fates) {
    const kind: CrashKind = fate === undefined ? 'process death' : 'power loss';
    const disk = fate === undefined ? point.disk.afterProcessDeath() : point.disk.afterPowerLoss(fate);
    try {
      await checkRecovery(disk, kind === 'process death' ? 1 : 2, kind, past, point.promises, options, 0);
    } catch (error) {
      throw new FoundViolation(steps, `${point.after}, ${name}`, error);
    }
  }
}

/** Recovers a crashed disk, in boot `boot`, and checks what is there; crashes the recovery too. */
async function checkRecovery(
  disk: SimulatedDisk,
  boot: number,
  kind: CrashKind,
  past: Past,
  promises: Promises,
  options: ExploreOptions,
  depth: number,
): Promise<void> {
  const { random, tally } = options;
  tally.crashStates++;
  if (depth > 0) tally.duringRecovery++;
  const again: SimulatedDisk[] = [];
  if (depth < 2 && random.below(100) < options.recoveryCrashPercent) {
    const chance = random.pick([100, 30, 10]);
    disk.observe = ({ kind: operation }) => {
      if (operation !== 'read' && random.below(100) < chance) again.push(disk.afterProcessDeath());
    };
  }
  const session = await Session.open(disk, { bootId: bootId(boot), pick: (count) => random.below(count) });
  disk.observe = () => undefined;
  try {
    const problem = structuralProblem(session.volume, disk);
    if (problem !== undefined) throw new Violation(`after recovery: ${problem}`);
    checkRecovered(session.present, past, promises, kind);
    if (random.below(100) < options.aftercarePercent) await checkAftercare(session, boot);
  } finally {
    await session.abandon();
  }
  for (const crashed of again) {
    const powerFails = random.below(2) === 0;
    const next = powerFails ? crashed.afterPowerLoss(randomFate(random)) : crashed;
    try {
      await checkRecovery(
        next,
        powerFails ? boot + 1 : boot,
        powerFails ? 'power loss' : kind,
        past,
        promises,
        options,
        depth + 1,
      );
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      throw new Violation(`and ${powerFails ? 'power loss' : 'process death'} while recovering: ${error.message}`);
    }
  }
}

/** A recovered volume serves, closes and opens like any other. */
async function checkAftercare(session: Session, boot: number): Promise<void> {
  for (const step of AFTERCARE) await session.run(step);
  await session.compare();
  await session.close();
  const reopened = await Session.open(session.disk, { bootId: bootId(boot) });
  try {
    const problem = structuralProblem(reopened.volume, session.disk);
    if (problem !== undefined) throw new Violation(`after closing: ${problem}`);
    if (!reopened.volume.recovery.clean) throw new Violation('after closing, the store is not clean');
    const left = leftoverBlobs(reopened.volume, session.disk);
    if (left.length > 0) throw new Violation(`after closing, no file has ${left.join(', ')}`);
    checkRecovered(reopened.present, session, session.promises(), 'process death');
  } finally {
    await reopened.abandon();
  }
}
