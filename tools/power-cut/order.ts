/**
 * What the host and the guest tell each other. The order is JSON on a disk of its own; the reports are lines of JSON on the first port of a
 * virtio console, and each writer has a port for its journal.
 */
import type { RecoveryReport } from '../../src/volume/options.js';

export const WRITERS = 3;
export const HOST_FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs'] as const;
export type HostFileSystem = (typeof HOST_FILE_SYSTEMS)[number];

export interface GuestOrder {
  readonly fileSystem: HostFileSystem;
  /** What is to be judged after the cut, if something is. */
  readonly past: PastRound | undefined;
  /** Earlier rounds, which must be as they were. */
  readonly kept: readonly KeptRound[];
  /** The whole store is read and checked as well. */
  readonly isScrubbed: boolean;
  /** The work that follows; without any, the store is unmounted. */
  readonly work: Work | undefined;
}

export interface PastRound {
  readonly round: number;
  /** Of each writer. */
  readonly journals: readonly string[];
}

export interface KeptRound {
  readonly round: number;
  readonly digest: string;
}

export interface Work {
  readonly round: number;
  readonly seed: number;
  /** Of a hundred writes, how many are fsynced. */
  readonly syncPercent: number;
  /** How old dirty pages become before the kernel writes them back, unasked: hundredths of a second. */
  readonly dirtyCentiseconds: number;
}

export type GuestReport =
  | { readonly state: 'mounting'; readonly kernel: string }
  | { readonly state: 'mounted'; readonly recovery: RecoveryReport }
  | {
      readonly state: 'judged';
      readonly problems: readonly string[];
      /** Of the past round, when nothing is wrong with it. */
      readonly digest: string;
      /** Operations that had returned, and how many of them are there. */
      readonly returned: number;
      readonly there: number;
      /** Snapshots that had returned. */
      readonly snapshots: number;
    }
  | { readonly state: 'working' | 'unmounted' }
  | { readonly state: 'failed'; readonly error: string };

export const REPORT_PORT = 1;
export const journalPort = (writer: number): number => REPORT_PORT + 1 + writer;
