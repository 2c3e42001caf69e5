/**
 * Rounds of work, `kill -9` of all RazorFS processes of the mount, razorfsck, a new mount, and the comparison of what is there
 * with what the writers had been told was done. Used by the test and by `npm run kill`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MountReport } from '../../src/mount/mount-request.js';
import type { Random } from '../random.js';
import { below, readJournal, readXattrs, violations } from './journal.js';
import type { LastingWork } from './lasting-work.js';
import { isInstalled, type MountedStore } from './mounted-store.js';
import type { WriterEnd, WriterOrder } from './writer.js';

/** What an operation takes in the journal, about. */
const LINE_BYTES = 110;
/** Of writes that are fsynced. */
const SYNC_PERCENT = 50;
const POLL_MS = 3;
const WRITER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'writer.js');
/** What a system call says when the daemon has gone, and when the mount has; and how setfattr(1) words it. */
const ERRORS_OF_DEATH = /ENOTCONN|ECONNABORTED|EIO|ENOENT|not connected|abort|Input\/output|No such file/;

export interface RoundReport {
  readonly round: number;
  readonly operations: number;
  readonly mount: MountReport;
  /** Broken promises, and what went wrong otherwise. */
  readonly failures: readonly string[];
}

/** Other work beside the writers. */
export interface Alongside {
  readonly milliseconds: number;
  begin(directory: string): readonly LastingWork[];
}

export class KillRounds {
  readonly #mounted: MountedStore;
  readonly #random: Random;
  readonly #writers: ChildProcess[];
  readonly #withXattrs = isInstalled('setfattr') && isInstalled('getfattr');
  #round = 0;

  constructor(mounted: MountedStore, random: Random, writers: number) {
    this.#mounted = mounted;
    this.#random = random;
    this.#writers = Array.from({ length: writers }, () =>
      fork(WRITER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
  }

  /** Ends the writers. */
  stop(): void {
    for (const writer of this.#writers) {
      writer.kill('SIGKILL');
    }
  }

  #directory(round: number, writer: number): string {
    return this.#mounted.path(`round-${round}`, `writer-${writer}`);
  }

  #journal(round: number, writer: number): string {
    return path.join(this.#mounted.directory, `journal-${round}-${writer}`);
  }

  /**
   * One round on a store that is mounted before and after it; the kill comes when the writers have done so many operations, and
   * `alongside` has gone on for some time where it is given: it begins other work in a directory.
   */
  async round(operationsBeforeKill: number, alongside?: Alongside): Promise<RoundReport> {
    const round = this.#round++;
    const failures: string[] = [];
    mkdirSync(this.#mounted.path(`round-${round}`));
    const works = alongside?.begin(this.#mounted.path(`round-${round}`)) ?? [];
    const earliest = performance.now() + (alongside?.milliseconds ?? 0);
    const ends = this.#writers.map((writer, number) => {
      mkdirSync(this.#directory(round, number));
      return this.#order(writer, round, number);
    });
    await this.#workUntouched(
      ends,
      () => performance.now() >= earliest && this.#hasDone(round, operationsBeforeKill),
      failures,
    );
    await this.#mounted.killEverything();
    let operations = 0;
    for (const end of await Promise.all(ends)) {
      operations += end.operations;
      if (!ERRORS_OF_DEATH.test(end.error)) {
        failures.push(`a writer had an error that no death explains: ${end.error}`);
      }
    }
    const check = await this.#mounted.check();
    if (check.code !== 0 || !/\bOK\b/.test(check.stdout)) {
      failures.push(`razorfsck (exit code ${check.code}): ${check.stdout}${check.stderr}`);
    }
    await Promise.all(works.map((work) => work.ended));
    const mount = await this.#mounted.mountedByDaemon();
    failures.push(...(await this.compare(round)));
    for (const work of works) {
      failures.push(...(await work.failures()));
    }
    return { round, operations, mount, failures };
  }

  /** Lets the writers work until they have done enough; none may end before. */
  async #workUntouched(
    ends: readonly Promise<WriterEnd>[],
    isEnough: () => boolean,
    failures: string[],
  ): Promise<void> {
    let isOver = false;
    for (const end of ends) {
      void end.then(({ error }) => {
        if (!isOver) {
          failures.push(`a writer had an error while all was well: ${error}`);
          isOver = true;
        }
      });
    }
    while (!isOver && !isEnough()) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    isOver = true;
  }

  #hasDone(round: number, operations: number): boolean {
    return this.#writers.length === 0 || this.#journalBytes(round) >= operations * LINE_BYTES;
  }

  #journalBytes(round: number): number {
    const sizes = [...this.#writers.keys()].map(
      (number) => statSync(this.#journal(round, number), { throwIfNoEntry: false })?.size ?? 0,
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  #order(writer: ChildProcess, round: number, number: number): Promise<WriterEnd> {
    const order: WriterOrder = {
      directory: this.#directory(round, number),
      journal: this.#journal(round, number),
      seed: this.#random.below(0xffff_ffff),
      withXattrs: this.#withXattrs,
      syncPercent: SYNC_PERCENT,
    };
    return new Promise((resolve) => {
      writer.once('message', (end: WriterEnd) => resolve(end));
      writer.send(order);
    });
  }

  /** How the directories of a round differ from what they must be. */
  async compare(round: number): Promise<string[]> {
    const found: string[] = [];
    const xattrs = this.#withXattrs ? await readXattrs(this.#mounted.path(`round-${round}`)) : new Map();
    for (const number of this.#writers.keys()) {
      const journal = readJournal(this.#journal(round, number));
      const broken = violations(this.#directory(round, number), journal, below(xattrs, `writer-${number}`));
      found.push(...broken.map((what) => `round ${round}, writer ${number}: ${what}`));
    }
    return found;
  }

  /** Removes what a round has made, so that the store does not grow for ever. */
  forget(round: number): void {
    rmSync(this.#mounted.path(`round-${round}`), { recursive: true });
    for (const number of this.#writers.keys()) {
      const journal = this.#journal(round, number);
      if (existsSync(journal)) {
        rmSync(journal);
      }
    }
  }
}
