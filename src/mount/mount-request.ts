/**
 * What a mount has been asked for, and what is told once it is ready. Both travel as JSON between a command and the daemon
 * that it starts, or that has the store already.
 */
import type { MountOptions } from '../fuse/mount-options.js';
import type { DatasetId } from '../store/units.js';
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
  /** What is to be shown there: `volume`, or `volume@snapshot`. */
  readonly dataset: string;
  /** Undefined: as the volume's properties say, likewise below. */
  readonly durability: Durability | undefined;
  readonly commitIntervalMs: number | undefined;
  readonly readOnly: boolean;
  /** The words given with `-o`, comma-separated. */
  readonly options: string;
  readonly transport: TransportName;
  /** The volume is put back to blank first (filesystem/reset.ts). */
  readonly resetOnMount?: boolean;
  /** A clone is mounted in the place of the dataset, and goes when the mount ends. */
  readonly ephemeral?: boolean;
}

/** A mount with everything decided: what another process needs to go on with it. It travels as JSON too. */
export interface MountDescription {
  /** Tells the mounts of a service apart; never used twice in its life, and below `CONNECTIONS_MAX` (session.ts). */
  readonly id: number;
  readonly mountPoint: string;
  /** The name under which it was mounted may have changed since. */
  readonly dataset: DatasetId;
  /** The tree of it that the kernel knows of (Dataset.view): a volume may have been rolled back since. */
  readonly view: number;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly commitIntervalMs: number;
  readonly options: MountOptions;
  readonly transport: TransportName;
  /** The mount's device number, by which it is told from another that is made at the same place later; empty when not known. */
  readonly device: string;
}

export interface MountReport {
  readonly mountPoint: string;
  readonly store: string;
  /** The name of what is shown: `volume`, or `volume@snapshot`. */
  readonly dataset: string;
  readonly pid: number;
  /** The store was made for this mount. */
  readonly created: boolean;
  /** The kind of memory that the store lies in, and with which it goes when the machine stops; null for a disk. */
  readonly volatile: VolatileKind | null;
  /** Empty while the mount can be written; otherwise why not. */
  readonly readOnlyReason: string;
  readonly recovery: RecoveryReport;
}
