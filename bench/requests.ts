/**
 * The requests that reach RazorFS for one operation of each kind, which say what an operation costs before anything is timed:
 * counted by the serving process, divided by the operations of the load generator and of tar, find and rm.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Work, type WorkOptions, work } from './client.js';
import type { Amounts, ApplicationAmounts } from './compare/amounts.js';
import { makeMaterial } from './compare/applications.js';
import { ROWS } from './compare/rows.js';
import type { DropCache } from './host.js';
import { check, mount, status, umount } from './razorfs.js';
import { markdownTable } from './table.js';
import { warmUp } from './warm-up.js';

const run = promisify(execFile);

export interface RequestOptions {
  readonly directory: string;
  readonly amounts: Amounts;
  readonly archive: ApplicationAmounts;
  readonly dropCache: DropCache;
}

export interface RequestFigures {
  readonly operation: string;
  /** Requests of each kind for one operation. */
  readonly requests: Readonly<Record<string, number>>;
}

const PAGES_PER_MIB = 256;
/** What is rarer belongs to something else: to asking for the counts, or to the directory as a whole. */
const PART_MIN = 0.005;
/** Nearer to a whole number than this, the rest is such a thing too. */
const ROUNDED = 0.03;

export async function countRequests(options: RequestOptions): Promise<RequestFigures[]> {
  const place = path.join(options.directory, `requests-${process.pid}`);
  const directory = path.join(place, 'mnt');
  const store = path.join(place, 'store');
  mkdirSync(directory, { recursive: true });
  try {
    await mount(directory, store);
    try {
      await warmUp(directory, 0);
      return await new Counting(directory, options).all(path.join(place, 'material'));
    } finally {
      await umount(directory);
      await check(store);
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

class Counting {
  readonly #directory: string;
  readonly #options: RequestOptions;
  readonly #figures: RequestFigures[] = [];

  constructor(directory: string, options: RequestOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  async all(material: string): Promise<RequestFigures[]> {
    await this.#smallFiles(path.join(this.#directory, 'small'), this.#options.amounts.files);
    await this.#largeFile(path.join(this.#directory, 'large'));
    await this.#programs(material);
    return this.#figures;
  }

  async #smallFiles(place: string, files: number): Promise<void> {
    const count = (operation: string, name: Work, options?: WorkOptions) =>
      this.#count(operation, files, () => work(name, place, files, options));
    mkdirSync(place);
    await count(ROWS.create.label, 'create');
    await count(ROWS.stat.label, 'stat');
    await count(ROWS.read.label, 'read');
    await this.#options.dropCache('all');
    await count(ROWS.listStatus.label, 'list-stat');
    await count(ROWS.rename.label, 'rename');
    await count(ROWS.unlink.label, 'unlink', { prefix: 'r' });
    await count(ROWS.createFsync.label, 'create-fsync');
    const mixed = path.join(this.#directory, 'mixed');
    mkdirSync(mixed);
    await this.#count('mixed small files', files, () => work('mixed', mixed, files));
  }

  async #largeFile(place: string): Promise<void> {
    const { pages, randomReads, randomWrites, appends } = this.#options.amounts;
    const mebibytes = pages / PAGES_PER_MIB;
    mkdirSync(place);
    await this.#count('sequential write + fsync, 1 MiB', mebibytes, () => work('write-large', place, pages));
    await this.#options.dropCache('all');
    await this.#count('sequential read, cold, 1 MiB', mebibytes, () => work('read-large', place, pages));
    const span = { span: pages };
    await this.#count(ROWS.randomRead.label, randomReads, () => work('random-read', place, randomReads, span));
    await this.#count(ROWS.randomWrite.label, randomWrites, () => work('random-write', place, randomWrites, span));
    await this.#count(ROWS.append.label, appends, () => work('append', place, appends));
  }

  async #programs(place: string): Promise<void> {
    const { archive, archiveFiles } = await makeMaterial(place, this.#options.archive);
    const tree = path.join(this.#directory, 'tree');
    await this.#count('untar, a file', archiveFiles, () => run('tar', ['-C', this.#directory, '-xf', archive]));
    await this.#options.dropCache('names');
    const find = ['-type', 'f', '-size', '+0', '-fprint', '/dev/null'];
    await this.#count('find, cold names, a file', archiveFiles, () => run('find', [tree, ...find]));
    await this.#count('rm -rf, a file', archiveFiles, () => run('rm', ['-rf', tree]));
  }

  /** Counts what an action causes, with what the kernel still keeps to itself when it is done. */
  async #count(operation: string, operations: number, action: () => Promise<unknown>): Promise<void> {
    const before = await this.#counts();
    await action();
    await run('sync', ['-f', this.#directory]);
    const after = await this.#counts();
    const requests: Record<string, number> = {};
    for (const [name, count] of Object.entries(after)) {
      const each = (count - (before[name] ?? 0)) / operations;
      if (each >= PART_MIN) requests[name] = each;
    }
    this.#figures.push({ operation, requests });
  }

  async #counts(): Promise<Readonly<Record<string, number>>> {
    return (await status(this.#directory)).requests;
  }
}

/** LOOKUP for one, 4 SETATTR for more, 0.01 READDIRPLUS for less. */
function formatCount(name: string, count: number): string {
  const whole = Math.round(count);
  if (whole === 0 || Math.abs(count - whole) > ROUNDED) return `${count.toFixed(2)} ${name}`;
  return whole === 1 ? name : `${whole} ${name}`;
}

export const requestTable = (figures: readonly RequestFigures[]): string =>
  markdownTable(
    ['operation', 'requests', 'in all'],
    figures.map(({ operation, requests }) => [
      operation,
      Object.entries(requests)
        .map(([name, count]) => formatCount(name, count))
        .join(', ') || 'none',
      Object.values(requests)
        .reduce((sum, count) => sum + count, 0)
        .toFixed(2),
    ]),
    2,
  );
