/**
 * Runs a history, crashes it wherever asked, and checks what recovery makes of each crash.
 */
import { checkStore } from '../../src/check/check.js';
import { findingLine } from '../../src/check/findings.js';
import { Random } from '../random.js';
import { type CrashKind, checkRecovered } from './checker.js';
import { KEEP_ALL, LOSE_ALL, randomFate } from './fates.js';
import type { Step } from './model.js';
import { type Past, type Promises, Violation } from './promises.js';
import { Session } from './session.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { Fate } from './simulated-inode.js';
import { leftoverBlobs, structuralProblem } from './structure.js';

/** A moment at which a crash may happen. The disk is a copy. */
interface CrashPoint {
  readonly disk: SimulatedDisk;
  readonly promises: Promises;
  readonly after: string;
  readonly boot: number;
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
  /** Syncs are done at once where that is possible, as for a client that is alone. */
  readonly isLone?: boolean;
  /** Whether the disk can clone ranges of files; not unless given. */
  readonly hasReflinks?: boolean;
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
/** Recoveries of crashed recoveries that are crashed again. With some 50 moments in each, few enough to come to an end. */
const DEEPER_CRASH_PERCENT = 1;
/** Of one recovery. */
const RECOVERY_CRASHES_MAX = 4;
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
  const exploration = new Exploration(steps, options);
  try {
    const disk = store.afterProcessDeath();
    disk.hasReflinks = options.hasReflinks ?? false;
    await exploration.run(disk);
  } catch (error) {
    throw new FoundViolation(steps, exploration.where, error);
  }
}

/** One run through a history. */
class Exploration {
  /** What is being done, for the report. */
  where = 'opening';
  readonly #steps: readonly Step[];
  readonly #options: ExploreOptions;
  #boot = 1;
  /** Of the present life. */
  #points: CrashPoint[] = [];

  constructor(steps: readonly Step[], options: ExploreOptions) {
    this.#steps = steps;
    this.#options = options;
  }

  async run(disk: SimulatedDisk): Promise<void> {
    let session = await this.#open(disk);
    try {
      for (const [index, step] of this.#steps.entries()) {
        this.where = `step ${index} (${step.op})`;
        if (step.op === 'remount' || step.op === 'kill' || step.op === 'power') {
          await this.#checkPoints(session);
          this.where = `step ${index} (${step.op})`;
          session = await this.#nextLife(session, step);
        } else {
          await this.#runStep(session, step, index);
        }
      }
      this.where = 'comparing at the end';
      await session.compare();
    } finally {
      session.disk.observe = () => undefined;
      await session.abandon();
    }
    await this.#checkPoints(session);
  }

  #open(disk: SimulatedDisk): Promise<Session> {
    const { durability, isLone = false, random } = this.#options;
    const pick = (count: number): number => random.below(count);
    return Session.open(disk, {
      bootId: bootId(this.#boot),
      pick,
      isLone,
      ...(durability === undefined ? {} : { durability }),
    });
  }

  async #runStep(session: Session, step: Step, index: number): Promise<void> {
    const { disk } = session;
    if (!this.#options.crashesAt(index)) {
      await session.run(step);
      return;
    }
    const note = (after: string): void => {
      this.#points.push({ disk: disk.afterProcessDeath(), promises: session.promises(), after, boot: this.#boot });
    };
    disk.observe = ({ kind, path }) => {
      if (kind !== 'read') note(`${this.where}, before ${kind} ${path}`);
    };
    await session.run(step);
    disk.observe = () => undefined;
    note(this.where);
  }

  async #nextLife(session: Session, step: Step): Promise<Session> {
    const { disk } = session;
    const promises = session.promises();
    await session.compare();
    if (step.op === 'remount') await session.close();
    const next =
      step.op === 'power' ? disk.afterPowerLoss(randomFate(new Random(step.seed))) : disk.afterProcessDeath();
    await session.abandon();
    if (step.op === 'power') this.#boot++;
    const reopened = await this.#open(next);
    try {
      checkVolume(reopened);
      checkRecovered(reopened.present, session, promises, step.op === 'power' ? 'power loss' : 'process death');
    } catch (error) {
      await reopened.abandon();
      throw error;
    }
    return reopened;
  }

  async #checkPoints(past: Past): Promise<void> {
    const points = this.#points;
    this.#points = [];
    for (const point of points) await this.#checkPoint(past, point);
  }

  async #checkPoint(past: Past, point: CrashPoint): Promise<void> {
    const { random, randomFates } = this.#options;
    const fates: { name: string; fate: Fate | undefined }[] = [
      { name: 'process death', fate: undefined },
      { name: 'power loss, all unsynced lost', fate: LOSE_ALL },
    ];
    if (point.disk.hasUnsynced) {
      fates.push({ name: 'power loss, all kept', fate: KEEP_ALL });
      for (let i = 0; i < randomFates; i++) fates.push({ name: 'power loss', fate: randomFate(random) });
    }
    for (const { name, fate } of fates) {
      this.where = `${point.after}, ${name}`;
      const kind: CrashKind = fate === undefined ? 'process death' : 'power loss';
      const disk = fate === undefined ? point.disk.afterProcessDeath() : point.disk.afterPowerLoss(fate);
      const boot = fate === undefined ? point.boot : point.boot + 1;
      await checkRecovery(disk, boot, kind, past, point.promises, this.#options, 0);
    }
  }
}

/** A volume that has just been opened is whole. */
function checkVolume({ store, disk }: Session): void {
  const problem = structuralProblem(store, disk);
  if (problem !== undefined) throw new Violation(`after opening: ${problem}`);
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
  if (random.below(100) < (depth === 0 ? options.recoveryCrashPercent : DEEPER_CRASH_PERCENT)) {
    let seen = 0;
    disk.observe = ({ kind: operation }) => {
      // Each moment with the same chance, however many there are (reservoir sampling).
      if (operation === 'read') return;
      const place = seen++ < RECOVERY_CRASHES_MAX ? again.length : random.below(seen);
      if (place < RECOVERY_CRASHES_MAX) again[place] = disk.afterProcessDeath();
    };
  }
  const session = await Session.open(disk, { bootId: bootId(boot), pick: (count) => random.below(count) });
  disk.observe = () => undefined;
  try {
    checkVolume(session);
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

/** What razorfsck says of a store. */
async function checkWithRazorfsck(disk: SimulatedDisk, boot: string): Promise<void> {
  const errors: string[] = [];
  await checkStore(disk, {
    bootId: boot,
    onFinding: (finding) => {
      if (finding.severity === 'error') errors.push(findingLine(finding));
    },
    onProgress: () => undefined,
  });
  if (errors.length > 0) throw new Violation(`razorfsck finds: ${errors.join('; ')}`);
}

/** A recovered volume serves, closes and opens like any other. */
async function checkAftercare(session: Session, boot: number): Promise<void> {
  for (const step of AFTERCARE) await session.run(step);
  await session.compare();
  await session.close();
  await checkWithRazorfsck(session.disk, bootId(boot));
  const reopened = await Session.open(session.disk, { bootId: bootId(boot) });
  try {
    checkVolume(reopened);
    if (!reopened.store.recovery.clean) throw new Violation('after closing, the store is not clean');
    const left = leftoverBlobs(reopened.store, session.disk);
    if (left.length > 0) throw new Violation(`after closing, no file has ${left.join(', ')}`);
    checkRecovered(reopened.present, session, session.promises(), 'process death');
  } finally {
    await reopened.abandon();
  }
}
