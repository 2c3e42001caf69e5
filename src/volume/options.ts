/**
 * How a store is opened, and what it reports of itself.
 */
import type { Lsn } from '../store/units.js';
import type { Timestamp } from './inode.js';

/**
 * When work becomes durable without being asked for. `sync`: before each operation returns. `interval`: every commit interval.
 * `relaxed`: every commit interval, with a longer default.
 */
export type Durability = 'sync' | 'interval' | 'relaxed';

export const COMMIT_INTERVAL_MS_DEFAULT: Readonly<Record<Durability, number>> = {
  sync: 5_000,
  interval: 5_000,
  relaxed: 30_000,
};

/** Where the store tells the operator of what happened; pino fits. */
export interface StoreLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface LogEnd {
  readonly lsn: Lsn;
  readonly reason: string;
}

export interface StoreOptions {
  readonly durability: Durability;
  /** Milliseconds, at least 1. */
  readonly commitIntervalMs: number;
  /** Nothing is changed; only the log of a store that was not unmounted properly is applied, as other filesystems do. */
  readonly readOnly: boolean;
  /**
   * The kernel's connection outlived the process that served it last: inodes without a name may still be in use, and requests that
   * were applied may be sent again (`wasApplied`).
   */
  readonly resume?: boolean;
  /** The host's boot id (/proc/sys/kernel/random/boot_id): tells a crash of the process from a loss of power. */
  readonly bootId: string;
  /** Where the log is taken to end, and why (open-store.ts). */
  readonly logEnd?: LogEnd;
  readonly log: StoreLog;
  /** The present. Tests inject it. */
  readonly now: () => Timestamp;
}

/** What opening the store had to do. */
export interface RecoveryReport {
  /** The store had been unmounted properly, and there was nothing to do. */
  readonly clean: boolean;
  /** Another boot than the one that wrote the log: the page cache was lost. */
  readonly powerLoss: boolean;
  readonly operationsReplayed: number;
  /** Unlinked files whose last user is gone. */
  readonly orphansReclaimed: number;
  /** Files cut back to the data that had reached the disk. */
  readonly filesClamped: number;
  /** The damage that the last change in the log met, which was given up. */
  readonly givenUp?: string;
  readonly milliseconds: number;
}

/** What opening a store read-only that had been unmounted properly comes to. */
export const NO_RECOVERY: RecoveryReport = {
  clean: true,
  powerLoss: false,
  operationsReplayed: 0,
  orphansReclaimed: 0,
  filesClamped: 0,
  milliseconds: 0,
};

export interface StoreStatus {
  readonly uuid: string;
  readonly label: string;
  readonly formatVersion: number;
  readonly mountCount: number;
  readonly durability: Durability;
  readonly commitIntervalMs: number;
  /** Empty while the store can be written; otherwise why not. */
  readonly readOnlyReason: string;
  /** Of all volumes. */
  readonly inodes: number;
  /** The sizes of all regular files of volumes, in bytes. */
  readonly dataBytes: number;
  /** Bytes that the store takes on the host beside the blobs of large files, by part. */
  readonly bytes: {
    readonly nodes: number;
    readonly strings: number;
    readonly packs: number;
    readonly log: number;
  };
  readonly epoch: number;
  readonly lsn: number;
  readonly recovery: RecoveryReport;
}
