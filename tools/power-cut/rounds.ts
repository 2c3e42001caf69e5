/**
 * Rounds of work in a virtual machine and power cuts, on one store: each boot looks at what the cut before has left.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Random } from '../../test/random.js';
import { Machine, type MachineParts } from './machine.js';
import type { GuestOrder, GuestReport, HostFileSystem, KeptRound, PastRound } from './order.js';
import { FATES, type VolatileDisk } from './volatile-disk.js';

/** How many of a hundred writes are fsynced: one of these in each round. */
const SYNC_PERCENTS = [50, 10, 1, 0, 0] as const;
/** The kernel's own choice for the age of dirty pages is 3,000; the earlier it writes them, the more it writes between two commits. */
const DIRTY_CENTISECONDS = [10, 100, 3000] as const;
/** One cut in so many comes while the machine starts, mounts and recovers. */
const EARLY_CUT_RARITY = 5;
const EARLY_CUT_MS_MAX = 20_000;
const ROUNDS_KEPT = 2;
/** One boot in so many scrubs the store, and the last one does. */
const SCRUB_RARITY = 4;

export interface RoundReport {
  readonly failures: readonly string[];
  /** One line for people. */
  readonly summary: string;
}

type Parts = Omit<MachineParts, 'directory'>;

export class PowerCutRounds {
  readonly #parts: Parts;
  readonly #disk: VolatileDisk;
  readonly #directory: string;
  readonly #fileSystem: HostFileSystem;
  readonly #random: Random;
  #past: PastRound | undefined;
  #kept: readonly KeptRound[] = [];
  #hasStore = false;

  constructor(parts: Parts, disk: VolatileDisk, directory: string, fileSystem: HostFileSystem, random: Random) {
    this.#parts = parts;
    this.#disk = disk;
    this.#directory = directory;
    this.#fileSystem = fileSystem;
    this.#random = random;
  }

  /** One boot, which ends with a cut at most so many milliseconds after the work has begun. */
  async round(round: number, millisecondsMax: number): Promise<RoundReport> {
    const syncPercent = this.#random.pick(SYNC_PERCENTS);
    const seed = this.#random.below(0x1000_0000);
    const isEarly = this.#random.below(EARLY_CUT_RARITY) === 0 && this.#hasStore;
    const milliseconds = this.#random.below(isEarly ? EARLY_CUT_MS_MAX : millisecondsMax);
    const dirtyCentiseconds = this.#random.pick(DIRTY_CENTISECONDS);
    const fate = this.#random.pick(FATES);
    // Of its own, because how many writes there are is not the seed's choice.
    const losses = new Random(this.#random.below(0xffff_ffff));
    const { machine, directory } = this.#start(round, { round, seed, syncPercent, dirtyCentiseconds });
    await (isEarly ? machine.hasReported('mounting') : machine.isAtWork());
    if (!machine.hasFailed) await setTimeout(milliseconds);
    await machine.kill();
    const { unflushed, kept } = await this.#disk.cut(fate, losses);
    const report = this.#look(machine, round);
    if (report.failures.length === 0) {
      rmSync(directory, { recursive: true });
      // The next boot recovers the store, and with that it changes it.
      this.#disk.save(path.join(this.#directory, 'disk-after-cut'));
    }
    const cut = `cut ${milliseconds} ms after ${isEarly ? 'the disk was mounted' : `work began, ${syncPercent} % synced`}`;
    const summary = `${report.summary}; ${cut}; ${kept} of ${unflushed} unflushed writes kept`;
    return { failures: report.failures, summary };
  }

  /** A last boot, which looks, and ends by unmounting. */
  async last(round: number): Promise<RoundReport> {
    const { machine } = this.#start(round, undefined);
    await machine.hasReported('unmounted');
    await machine.kill();
    const report = this.#look(machine, round);
    const isUnmounted = machine.reports.some(({ state }) => state === 'unmounted');
    return isUnmounted ? report : { ...report, failures: [...report.failures, 'the last boot did not end well'] };
  }

  #start(round: number, work: GuestOrder['work']): { machine: Machine; directory: string } {
    const directory = path.join(this.#directory, `boot-${round}`);
    const isScrubbed = work === undefined || this.#random.below(SCRUB_RARITY) === 0;
    const order: GuestOrder = { fileSystem: this.#fileSystem, past: this.#past, kept: this.#kept, isScrubbed, work };
    return { machine: new Machine({ ...this.#parts, directory }, order), directory };
  }

  /** What the boot has said of the past, and what the next has to look at. */
  #look(machine: Machine, round: number): RoundReport {
    const failures: string[] = [];
    let summary = '';
    for (const report of machine.reports) {
      summary += this.#note(report, failures);
    }
    if (machine.reports.some(({ state }) => state === 'working')) {
      this.#past = { round, journals: machine.journals };
    }
    return { failures, summary };
  }

  #note(report: GuestReport, failures: string[]): string {
    switch (report.state) {
      case 'mounting':
        return `Linux ${report.kernel}`;
      case 'mounted': {
        this.#hasStore = true;
        const { powerLoss, operationsReplayed, filesClamped, milliseconds } = report.recovery;
        const how = powerLoss ? 'recovered from a loss of power' : 'not a loss of power';
        return `; ${how}: ${operationsReplayed} replayed, ${filesClamped} clamped, ${milliseconds.toFixed(0)} ms`;
      }
      case 'judged': {
        failures.push(...report.problems);
        if (this.#past !== undefined) {
          this.#kept = [...this.#kept, { round: this.#past.round, digest: report.digest }].slice(-ROUNDS_KEPT);
        }
        this.#past = undefined;
        return `; ${report.there} operations there, ${report.returned} had returned, with ${report.snapshots} snapshots`;
      }
      case 'failed':
        failures.push(report.error);
        return '';
      case 'working':
      case 'unmounted':
        return '';
    }
  }
}
