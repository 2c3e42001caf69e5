/**
 * Cost as the number of files grows: operations, listing, mounting, recovery, memory and space, at several sizes of one store,
 * with all files in one directory and with a tree of directories.
 */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { work } from '../client.js';
import { allocatedBelow, copyDirectory, type DropCache } from '../host.js';
import {
  check,
  killEverything,
  type Mounted,
  memoryOf,
  mount,
  type ProcessMemory,
  status,
  umount,
} from '../razorfs.js';
import { warmUp } from '../warm-up.js';
import { type FilledMount, fillLog, type LongestReplies, measureCheckpoint } from './full-log.js';

export interface ScaleOptions {
  /** A directory on the host for the store and the mount point; what the bench leaves there is removed. */
  readonly directory: string;
  /** Numbers of files, ascending. */
  readonly sizes: readonly number[];
  /** Operations that are timed at each size, at most a tenth of the files. */
  readonly probes: number;
  readonly fileBytes: number;
  /** How long the log is filled with short records, in milliseconds. */
  readonly renameMs: number;
  readonly dropCache: DropCache;
  /** Aborted: no further size is begun. */
  readonly interrupted: AbortSignal;
  readonly progress: (line: string) => void;
}

/** Where the files lie: all in one directory, or 100 in each of many. */
export type Layout = 'one directory' | 'tree';

/** Nanoseconds for one operation unless the name says otherwise. */
export interface ScaleFigures {
  readonly layout: Layout;
  readonly files: number;
  readonly create: number;
  /** The longest single create while the store grew to this size. */
  readonly longestCreate: number;
  /** Names that the kernel does not know, at random. */
  readonly lookup: number;
  /** One entry of readdir, with names unknown to the kernel. */
  readonly list: number;
  /** One entry of readdir with a stat of each. */
  readonly listStatus: number;
  readonly unlink: number;
  /** From command to prompt, after a clean unmount; and the time of `razorfs umount`. */
  readonly mountMilliseconds: number;
  readonly umountMilliseconds: number;
  /** After kill -9 with a log as full as it gets. */
  readonly crashMountMilliseconds: number;
  readonly recoveryMilliseconds: number;
  readonly operationsReplayed: number;
  readonly logBytes: number;
  /** The longest reply in half a second without a checkpoint, and around one of an epoch with a full log. */
  readonly longestReply: number;
  readonly longestReplyInCheckpoint: number;
  /** Own memory and mapped pages in RAM of the processes that serve, after all the work of this size. */
  readonly anonymousBytes: number;
  readonly mappedBytes: number;
  /** Bytes of tree and names, and bytes that the host has allocated for the whole store except its log. */
  readonly metadataBytesPerFile: number;
  readonly allocatedBytesPerFile: number;
}

/** A checkpoint comes after 64 MiB of log, or 32 Ki pages (src/volume/maintenance.ts): these leave room for what measuring adds. */
const LOG_BYTES_BEFORE_CHECKPOINT = 58 * 1024 * 1024;
const LOG_BYTES_BEFORE_KILL = 60 * 1024 * 1024;
/** So few that the pages which they touch bring no checkpoint. */
const RENAMES_MAX = 5000;

export async function measureScale(options: ScaleOptions, layout: Layout): Promise<ScaleFigures[]> {
  const bench = new ScaleBench(options, layout);
  try {
    return await bench.run();
  } finally {
    await bench.clear();
  }
}

class ScaleBench {
  readonly #options: ScaleOptions;
  readonly #layout: Layout;
  readonly #place: string;
  readonly #mountPoint: string;
  readonly #store: string;
  readonly #base: { readonly tree: boolean; readonly fileBytes: number };
  #mounted: Mounted | undefined;
  #files = 0;

  constructor(options: ScaleOptions, layout: Layout) {
    this.#options = options;
    this.#layout = layout;
    this.#place = path.join(options.directory, `scale-${process.pid}`);
    this.#mountPoint = path.join(this.#place, 'mnt');
    this.#store = path.join(this.#place, 'store');
    this.#base = { tree: layout === 'tree', fileBytes: options.fileBytes };
  }

  get #directory(): string {
    return path.join(this.#mountPoint, 'files');
  }

  async run(): Promise<ScaleFigures[]> {
    mkdirSync(this.#mountPoint, { recursive: true });
    this.#mounted = await mount(this.#mountPoint, this.#store);
    await warmUp(this.#mountPoint, 0);
    mkdirSync(this.#directory);
    const figures: ScaleFigures[] = [];
    for (const size of this.#options.sizes) {
      if (this.#options.interrupted.aborted) break;
      this.#options.progress(`${this.#layout}: ${size} files`);
      figures.push(await this.#measure(size));
    }
    await umount(this.#mountPoint);
    this.#mounted = undefined;
    this.#options.progress(`${this.#layout}: razorfsck`);
    await check(this.#store);
    return figures;
  }

  async clear(): Promise<void> {
    // What ended the run early is what is to be told, not that the mount it left cannot be cleared.
    const isUnmounted =
      this.#mounted === undefined ||
      (await umount(this.#mountPoint)
        .then(() => true)
        .catch(() => false));
    if (isUnmounted) rmSync(this.#place, { recursive: true, force: true });
    else this.#options.progress(`left as it is: ${this.#mountPoint}, of the store ${this.#store}`);
  }

  async #measure(size: number): Promise<ScaleFigures> {
    const probes = Math.min(this.#options.probes, Math.floor(size / 10));
    const grown = await this.#create(size - probes - this.#files);
    const created = await this.#create(probes);
    const { anonymous, file } = memoryOf(this.#daemon());
    const { volume } = await status(this.#mountPoint);

    const unlinked = await work('unlink', this.#directory, probes, { ...this.#base, start: size - probes });
    this.#files -= probes;
    await this.#create(probes);

    const umountMilliseconds = await umount(this.#mountPoint);
    const allocated = allocatedBelow(this.#store) - volume.bytes.log;
    await this.#options.dropCache('all');
    this.#mounted = await mount(this.#mountPoint, this.#store);
    const mountMilliseconds = this.#mounted.milliseconds;
    const looked = await work('lookup', this.#directory, probes, { ...this.#base, span: size });
    await this.#options.dropCache('names');
    const listed = await work('list', this.#directory, size, this.#base);
    await this.#options.dropCache('names');
    const listedStatus = await work('list-stat', this.#directory, size, this.#base);
    const full = await this.#withFullLog(size);
    return {
      layout: this.#layout,
      files: size,
      create: created.nanoseconds / probes,
      longestCreate: Math.max(grown.longestNanoseconds, created.longestNanoseconds),
      lookup: looked.nanoseconds / probes,
      list: listed.nanoseconds / size,
      listStatus: listedStatus.nanoseconds / size,
      unlink: unlinked.nanoseconds / probes,
      mountMilliseconds,
      umountMilliseconds,
      crashMountMilliseconds: full.crashed.milliseconds,
      recoveryMilliseconds: full.crashed.recovery.milliseconds,
      operationsReplayed: full.crashed.recovery.operationsReplayed,
      logBytes: full.logBytes,
      longestReply: full.longest.without,
      longestReplyInCheckpoint: full.longest.during,
      anonymousBytes: Math.max(anonymous, full.memory.anonymous),
      mappedBytes: Math.max(file, full.memory.file),
      metadataBytesPerFile: (volume.bytes.nodes + volume.bytes.strings) / size,
      allocatedBytesPerFile: allocated / size,
    };
  }

  #daemon(): Mounted {
    if (this.#mounted === undefined) throw new Error('not mounted');
    return this.#mounted;
  }

  async #create(count: number) {
    const result = await work('create', this.#directory, count, { ...this.#base, start: this.#files });
    this.#files += count;
    return result;
  }

  /** What a full log does, to a copy of the store, which razorfsck looks at afterwards. */
  async #withFullLog(size: number): Promise<FullLogFigures> {
    const copy = path.join(this.#place, 'copy');
    await umount(this.#mountPoint);
    this.#mounted = undefined;
    await copyDirectory(this.#store, copy);
    this.#mounted = await mount(this.#mountPoint, copy);
    const log: FilledMount = {
      mountPoint: this.#mountPoint,
      store: copy,
      files: this.#directory,
      fileOptions: this.#base,
      renames: Math.min(size, RENAMES_MAX),
      renameMs: this.#options.renameMs,
    };
    const longest = await measureCheckpoint(log, LOG_BYTES_BEFORE_CHECKPOINT);
    const logBytes = await fillLog(log, LOG_BYTES_BEFORE_KILL);
    await killEverything(this.#mounted);
    this.#mounted = undefined;
    this.#mounted = await mount(this.#mountPoint, copy);
    const figures = { longest, logBytes, crashed: this.#mounted, memory: memoryOf(this.#mounted) };
    await umount(this.#mountPoint);
    this.#mounted = undefined;
    await check(copy);
    rmSync(copy, { recursive: true });
    this.#mounted = await mount(this.#mountPoint, this.#store);
    return figures;
  }
}

interface FullLogFigures {
  readonly longest: LongestReplies;
  readonly logBytes: number;
  readonly crashed: Mounted;
  readonly memory: ProcessMemory;
}
