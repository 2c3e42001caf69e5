/**
 * Commands on a store: what a person asks of its volumes and snapshots. The process that serves the store runs them, between
 * requests; where none does, the process of the command itself, with the store opened for it.
 *
 * Arguments and results are JSON. A command that takes long gives way to others now and then (await), looks at `signal`, and
 * writes what is large with `write` instead of returning it.
 */
import type { DatasetId } from '../../store/units.js';
import type { Dataset } from '../../volume/dataset.js';
import type { Datasets } from '../../volume/datasets.js';
import type { StoreLog } from '../../volume/options.js';
import type { Store } from '../../volume/store.js';

/** The mounts of a store, as far as commands have to know of them. */
export interface StoreMounts {
  /** Where a dataset is mounted; undefined for nowhere. */
  mountPointOf(dataset: DatasetId): string | undefined;
  /** What is mounted within a volume, where that is mounted, at or below a path (empty: anywhere). */
  mountsBelow(volume: DatasetId, path: string): readonly string[];
  /** Has the kernel hand over what programs have written to a volume: it may have kept some of it in its cache. */
  flush(volume: DatasetId): Promise<void>;
  /** Has the kernel give up what it has cached of a volume that is about to be replaced as a whole. */
  emptyCaches(volume: DatasetId): Promise<void>;
  /** A volume was rolled back, wholly or, where `path` is not empty, at a path: what the kernel's caches have of it is no more valid. */
  rolledBack(volume: DatasetId, path: string): Promise<void>;
}

export interface CommandContext {
  readonly store: Store;
  readonly datasets: Datasets;
  readonly mounts: StoreMounts;
  /** The volume that is meant when none is named: the one of the mount point that the command was given, otherwise `main`. */
  readonly volume: Dataset;
  /** Who has given the command. */
  readonly caller: { readonly uid: number; readonly gid: number };
  readonly log: StoreLog;
  /** Aborted when nobody waits for the result any more, or the store is about to be closed. */
  readonly signal: AbortSignal;
  /** What the command's user sends, until its end. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Writes output. Resolves when there is room for more; rejects once `signal` is aborted. */
  write(bytes: Uint8Array): Promise<void>;
  /** Tells how far the command is: a JSON object. */
  progress(report: object): void;
}

export type StoreCommand<Args extends object, Result> = (args: Args, context: CommandContext) => Promise<Result>;
