/**
 * Real work that goes on until it is stopped or its mount dies: each piece again and again, in a directory of its own each time.
 * What was finished must be right afterwards; what was interrupted may be anything that its own recovery can handle.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { run } from '../cli/program.js';
import { succeed } from './mounted-store.js';
import {
  checkGit,
  checkSqlite,
  JOURNAL_MODES,
  makeArchive,
  makeRepository,
  unpack,
  workWithGit,
  workWithNpm,
  workWithSqlite,
} from './real-work.js';

/** One kind of work. */
export interface WorkKind {
  /** Makes what is needed, in a directory of the host. */
  prepare(directory: string): Promise<void>;
  work(target: string, number: number): Promise<void>;
  /** Throws unless finished work is right. */
  check(target: string): Promise<void>;
  /** Throws unless interrupted work can be recovered. */
  checkInterrupted?(target: string): Promise<void>;
}

/** By name; `sources` is a directory of the host. */
export function workKinds(sources: string): Readonly<Record<string, WorkKind>> {
  const repository = path.join(sources, 'repository');
  const archive = path.join(sources, 'tree.tar');
  return {
    git: {
      prepare: () => makeRepository(repository),
      work: (target) => workWithGit(repository, target),
      check: checkGit,
    },
    tar: {
      prepare: async () => void (await makeArchive(sources)),
      work: (target) => unpack(archive, target),
      check: async (target) => {
        const { stdout } = await run('tar', ['-dSf', archive, '--numeric-owner', '-C', target]);
        // tar(1) looks at content and attributes; times of directories move when their entries are made.
        const differences = stdout.split('\n').filter((line) => line !== '' && !line.includes('Mod time differs'));
        if (differences.length > 0) throw new Error(differences.join('\n'));
      },
    },
    sqlite: {
      prepare: async () => {},
      work: (target, number) => workWithSqlite(target, JOURNAL_MODES[number % JOURNAL_MODES.length]!),
      check: checkSqlite,
      checkInterrupted: async (target) => {
        if (existsSync(target)) await checkSqlite(target);
      },
    },
    npm: {
      prepare: async () => {},
      work: workWithNpm,
      check: async (target) => void (await succeed('npm', ['ls', '--all'], target)),
    },
  };
}

/** Work of one kind under way. */
export class LastingWork {
  readonly #name: string;
  readonly #kind: WorkKind;
  readonly #directory: string;
  readonly #finished: string[] = [];
  #interrupted: string | undefined;
  #stopped = false;
  /** Resolves to the error that ended it, or to nothing when it was stopped. */
  readonly ended: Promise<Error | undefined>;

  /** Begins, in a directory that is there. */
  constructor(name: string, kind: WorkKind, directory: string) {
    this.#name = name;
    this.#kind = kind;
    this.#directory = directory;
    this.ended = this.#run();
  }

  get finished(): number {
    return this.#finished.length;
  }

  /** Ends after the piece under way. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<Error | undefined> {
    for (let number = 0; !this.#stopped; number++) {
      const target = path.join(this.#directory, `${this.#name}-${number}`);
      this.#interrupted = target;
      try {
        await this.#kind.work(target, number);
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
      }
      this.#finished.push(target);
      this.#interrupted = undefined;
    }
    return undefined;
  }

  /** What is wrong with what was done. */
  async failures(): Promise<string[]> {
    const found: string[] = [];
    const note = async (target: string, check: Promise<void> | undefined): Promise<void> => {
      await check?.catch((error: Error) => found.push(`${path.basename(target)}: ${error.message}`));
    };
    for (const target of this.#finished) {
      await note(target, this.#kind.check(target));
    }
    if (this.#interrupted !== undefined) {
      await note(this.#interrupted, this.#kind.checkInterrupted?.(this.#interrupted));
    }
    return found;
  }
}
