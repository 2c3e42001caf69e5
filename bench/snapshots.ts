/**
 * What snapshots cost as the number of files grows: taking one, rolling back, resetting to blank, and comparing a thousand changes;
 * beside the last, `diff -r` of the two trees on a mount.
 *
 * The store is used in this process, so that the figures are those of the operations and not of starting a command. Bytes are what
 * the process gave to the disk (proc_pid_io(5), write_bytes), up to and with the checkpoint after the operation.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { formatBytes } from '../src/cli/quantities.js';
import { Attributes } from '../src/filesystem/attributes.js';
import { FileSystem } from '../src/filesystem/filesystem.js';
import type { Caller } from '../src/filesystem/operations.js';
import { reset } from '../src/filesystem/reset.js';
import { HostDisk } from '../src/store/host-disk.js';
import { type Ino, ROOT_INO } from '../src/store/units.js';
import type { Dataset } from '../src/volume/dataset.js';
import { Datasets } from '../src/volume/datasets.js';
import { compareStates } from '../src/volume/diff.js';
import { timestampOf } from '../src/volume/inode.js';
import { PERSISTENCE_PROPERTY } from '../src/volume/persistence.js';
import { PinnedTree } from '../src/volume/pinned-tree.js';
import { Store } from '../src/volume/store.js';
import { mount, umount } from './razorfs.js';
import { formatFigure, markdownTable } from './table.js';

export interface SnapshotsOptions {
  readonly directory: string;
  /** Numbers of files, ascending. */
  readonly sizes: readonly number[];
  readonly changes: number;
  /** How often each operation is measured; the median counts. */
  readonly rounds: number;
  /** `diff -r` is given up after this. */
  readonly diffMsMax: number;
  readonly interrupted: AbortSignal;
  readonly progress: (line: string) => void;
}

export interface Cost {
  readonly milliseconds: number;
  readonly bytes: number;
}

export interface SnapshotFigures {
  readonly files: number;
  readonly changes: number;
  readonly create: Cost;
  readonly rollback: Cost;
  /** Nothing persists. */
  readonly reset: Cost;
  /** Everything persists. */
  readonly carry: Cost;
  /** Half of the files persist. */
  readonly half: Cost;
  /** Milliseconds until the other half is swept. */
  readonly sweep: number;
  /** Milliseconds; the first of them meets pages that no one has read since the store was opened. */
  readonly diffCold: number;
  readonly diffWarm: number;
  /** Milliseconds of `diff -rq`; null when it was given up. */
  readonly diffProgram: number | null;
}

const CALLER: Caller = { uid: 0, gid: 0, pid: 0, umask: 0, request: 0 };
const FILE = Buffer.alloc(100, 'content ');
/** The directory with all files, half of them in the first of these, and within that in directories of so many. */
const ALL = 'all';
const HALVES = ['kept', 'other'] as const;
const FILES_PER_DIRECTORY = 1000;
const FILES_AT_ONCE = 500;
const nothing = (): void => undefined;

const openStore = (disk: HostDisk): Promise<Store> =>
  Store.open(disk, {
    durability: 'interval',
    commitIntervalMs: 5000,
    readOnly: false,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    log: { info: nothing, warn: nothing, error: nothing },
    now: () => timestampOf(Date.now()),
  });

/** Bytes that this process has caused to be written to disks. */
const bytesWritten = (): number => Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

export async function measureSnapshots(options: SnapshotsOptions): Promise<SnapshotFigures[]> {
  const figures: SnapshotFigures[] = [];
  for (const files of options.sizes) {
    if (options.interrupted.aborted) break;
    options.progress(`snapshots: ${files} files`);
    const directory = path.join(options.directory, `snapshots-${process.pid}`);
    mkdirSync(path.join(directory, 'store'), { recursive: true });
    try {
      figures.push(await new Run(directory, files, options).measure());
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
  return figures;
}

class Run {
  readonly #directory: string;
  readonly #files: number;
  readonly #options: SnapshotsOptions;
  readonly #disk: HostDisk;

  constructor(directory: string, files: number, options: SnapshotsOptions) {
    this.#directory = directory;
    this.#files = files;
    this.#options = options;
    this.#disk = new HostDisk(path.join(directory, 'store'));
  }

  async measure(): Promise<SnapshotFigures> {
    await Store.create(this.#disk, { label: '', now: Date.now(), owner: { uid: 0, gid: 0 } });
    const store = await openStore(this.#disk);
    const datasets = new Datasets(store);
    await datasets.createSnapshot('main', 'blank');
    const filesystem = new FileSystem(store.main, { atime: 'noatime' });
    const directories = await this.#fill(filesystem);
    await store.checkpoint();
    const create = await this.#costs(store, (round) => datasets.createSnapshot('main', `round-${round}`));
    const base = datasets.snapshot('main', 'round-0');
    const changed = this.#change(filesystem, directories);
    await store.close();
    const diff = await this.#diff(base, changed);
    const diffProgram = await this.#diffProgram();
    return { files: this.#files, changes: changed, create, ...diff, diffProgram, ...(await this.#back()) };
  }

  async #fill(filesystem: FileSystem): Promise<Ino[]> {
    const directories: Ino[] = [];
    const out = new Attributes();
    filesystem.makeDirectory(ROOT_INO, Buffer.from(ALL), 0o755, CALLER, out);
    const all = out.ino;
    const halves = HALVES.map((name) => {
      filesystem.makeDirectory(all, Buffer.from(name), 0o755, CALLER, out);
      return out.ino;
    });
    for (let index = 0; index < this.#files; index++) {
      if (index % FILES_PER_DIRECTORY === 0) {
        const half = halves[index < this.#files / 2 ? 0 : 1]!;
        filesystem.makeDirectory(half, Buffer.from(`directory ${directories.length}`), 0o755, CALLER, out);
        directories.push(out.ino);
      }
      filesystem.makeNode(directories.at(-1)!, this.#name(index), 0o100644, 0, CALLER, out);
      filesystem.write(out.ino, 0, FILE.length, FILE, 0, false, CALLER);
      if (index % FILES_AT_ONCE === 0) await setImmediate();
    }
    return directories;
  }

  #name(index: number): Buffer {
    return Buffer.from(`file ${index}`);
  }

  /** Writes, removes, renames and adds files all over the tree. Returns how many. */
  #change(filesystem: FileSystem, directories: readonly Ino[]): number {
    const out = new Attributes();
    const { changes } = this.#options;
    for (let change = 0; change < changes; change++) {
      const index = Math.floor((change * this.#files) / changes);
      const directory = directories[Math.floor(index / FILES_PER_DIRECTORY)]!;
      const name = this.#name(index);
      switch (change % 4) {
        case 0:
          filesystem.lookup(directory, name, out);
          filesystem.write(out.ino, 0, 7, Buffer.from('changed'), 0, false, CALLER);
          break;
        case 1:
          filesystem.lookup(directory, name, out);
          filesystem.unlink(directory, name, CALLER);
          filesystem.forget(out.ino);
          break;
        case 2:
          filesystem.rename(directory, name, directory, Buffer.from(`renamed ${index}`), 0, CALLER);
          break;
        default:
          filesystem.makeNode(directory, Buffer.from(`added ${index}`), 0o100644, 0, CALLER, out);
      }
    }
    return changes;
  }

  /** The medians of an operation, each time with the checkpoint after it; `after`: what else has to be done then. */
  async #costs(
    store: Store,
    operation: (round: number) => Promise<unknown>,
    after: () => Promise<void> = async () => undefined,
  ): Promise<Cost> {
    const [milliseconds, bytes]: number[][] = [[], []];
    for (let round = 0; round < this.#options.rounds; round++) {
      while (store.hasDying) await setImmediate();
      await store.checkpoint();
      const before = bytesWritten();
      milliseconds!.push(await timed(() => operation(round)));
      await store.checkpoint();
      bytes!.push(bytesWritten() - before);
      await after();
    }
    return { milliseconds: median(milliseconds!), bytes: median(bytes!) };
  }

  async #diff(base: Dataset, changes: number): Promise<{ diffCold: number; diffWarm: number }> {
    const times: number[] = [];
    const store = await openStore(this.#disk);
    for (let round = 0; round <= this.#options.rounds; round++) {
      times.push(await timed(() => this.#compare(store, base, changes)));
    }
    await store.close();
    return { diffCold: times[0]!, diffWarm: median(times.slice(1)) };
  }

  async #compare(store: Store, base: Dataset, expected: number): Promise<void> {
    const [before, after] = [new PinnedTree(store, base), new PinnedTree(store, store.main.state.dataset)];
    let found = 0;
    for await (const _change of compareStates(before, after)) found++;
    before.release();
    after.release();
    if (found !== expected) throw new Error(`${found} changes were found in place of ${expected}`);
  }

  /** What the same takes without snapshots that know what they share. */
  async #diffProgram(): Promise<number | null> {
    const mountPoint = path.join(this.#directory, 'mnt');
    mkdirSync(mountPoint);
    await mount(mountPoint, path.join(this.#directory, 'store'));
    try {
      const snapshot = path.join(mountPoint, '.razorfs/snapshots/round-0');
      const startedMs = performance.now();
      const isDone = await runDiff(snapshot, mountPoint, this.#options.diffMsMax);
      return isDone ? performance.now() - startedMs : null;
    } finally {
      await umount(mountPoint);
    }
  }

  async #back(): Promise<Pick<SnapshotFigures, 'rollback' | 'reset' | 'carry' | 'half' | 'sweep'>> {
    const store = await openStore(this.#disk);
    const datasets = new Datasets(store);
    const base = datasets.snapshot('main', 'round-0');
    const rollback = await this.#costs(store, (round) => datasets.rollBack('main', base, { keepAs: `kept-${round}` }));
    const persist = (names: readonly string[]): Promise<void> =>
      datasets.setProperties(datasets.volume('main'), { [PERSISTENCE_PROPERTY]: { data: names } });
    const resets = (): Promise<Cost> => this.#costs(store, () => reset(store, datasets, datasets.volume('main')));
    await persist([ALL]);
    const carry = await resets();
    await persist([`${ALL}/${HALVES[0]}`]);
    const sweeps: number[] = [];
    const half = await this.#costs(
      store,
      () => reset(store, datasets, datasets.volume('main')),
      async () => {
        sweeps.push(await timed(() => store.swept()));
        await datasets.rollBack('main', base, { keepAs: undefined });
      },
    );
    await persist([]);
    const figures = { rollback, carry, half, sweep: median(sweeps), reset: await resets() };
    await store.close();
    return figures;
  }
}

/** Whether diff(1) came to an end in time. */
function runDiff(before: string, after: string, timeout: number): Promise<boolean> {
  const child = spawn('diff', ['-rq', before, after], { stdio: 'ignore', timeout });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0 || code === 1));
  });
}

/** The figures as a table in Markdown. */
export function snapshotsTable(figures: readonly SnapshotFigures[]): string {
  const cost = ({ milliseconds, bytes }: Cost): string => `${formatFigure(milliseconds)} ms, ${formatBytes(bytes)}`;
  const row = (name: string, cell: (of: SnapshotFigures) => string): string[] => [name, ...figures.map(cell)];
  const ms = (milliseconds: number | null): string => (milliseconds === null ? 'given up' : formatFigure(milliseconds));
  return markdownTable(
    ['files', ...figures.map(({ files }) => files.toLocaleString('en-US'))],
    [
      row('snapshot create', ({ create }) => cost(create)),
      row('rollback', ({ rollback }) => cost(rollback)),
      row('reset to blank', (of) => cost(of.reset)),
      row('reset, all files persist', (of) => cost(of.carry)),
      row('reset, half of them persist', ({ half }) => cost(half)),
      row('until the others are swept, ms', ({ sweep }) => formatFigure(sweep)),
      row('changes compared', ({ changes }) => changes.toLocaleString('en-US')),
      row('diff, first time, ms', ({ diffCold }) => ms(diffCold)),
      row('diff, ms', ({ diffWarm }) => ms(diffWarm)),
      row('diff -rq, ms', ({ diffProgram }) => ms(diffProgram)),
    ],
  );
}
