/**
 * What a mount has been asked for, and what is told once it is ready. Both travel as JSON between a command and the daemon
 * that it starts.
 */
import type { VolatileKind } from '../store/volatile.js';
import type { Durability, RecoveryReport } from '../volume/options.js';

/** What carries the requests of a mount; see transport.ts. */
export const TRANSPORTS = ['kernel', 'fuse-native'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

export interface MountRequest {
  /** Absolute, as the kernel will list it. */
  readonly mountPoint: string;
  /** Absolute. */
  readonly store: string;
  /** The label of a store that has to be made first. */
  readonly label: string;
  readonly durability: Durability;
  readonly commitIntervalMs: number;
  readonly readOnly: boolean;
  /** The words given with `-o`, comma-separated. */
  readonly options: string;
  readonly transport: TransportName;
}

export interface MountReport {
  readonly mountPoint: string;
  readonly store: string;
  readonly pid: number;
  /** The store was made for this mount. */
  readonly created: boolean;
  /** The kind of memory that the store lies in, and with which it goes when the machine stops; null for a disk. */
  readonly volatile: VolatileKind | null;
  /** Empty while the mount can be written; otherwise why not. */
  readonly readOnlyReason: string;
  readonly recovery: RecoveryReport;
}
