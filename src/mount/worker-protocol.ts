/**
 * What a supervisor and the worker that serves its mount say to each other, over the IPC channel of child_process.
 *
 * The first worker mounts, and shares its descriptors with the supervisor over a Unix socket (SCM_RIGHTS): first the one of
 * /dev/fuse, then the store's lock. Each later worker inherits both. Over fuse-native, where the mount ends with its worker, nothing
 * is shared.
 */
import type { ServiceEnd } from './control-server.js';
import type { MountReport, MountRequest } from './mount-request.js';
import type { SerialisedError } from './serialised-error.js';

/** How often processes that served a mount have died, and how the last one did: `SIGKILL`, `exit code 70`; empty for none. */
export interface Deaths {
  readonly count: number;
  readonly last: string;
}

/** A mount that another process has served. */
export interface InheritedMount {
  /** Descriptors. */
  readonly fuse: number;
  readonly lock: number;
  readonly deaths: Deaths;
}

/** The supervisor's only message. */
export interface WorkerRequest {
  readonly request: MountRequest;
  /** Somebody watches: log lines go to standard error too. */
  readonly terminal: boolean;
  /** The descriptor of the socket over which a first worker shares its descriptors. */
  readonly socket?: number;
  readonly inherited?: InheritedMount;
}

export type WorkerMessage =
  | { readonly kind: 'ready'; readonly report: MountReport }
  | { readonly kind: 'failed'; readonly error: SerialisedError }
  | { readonly kind: 'ended'; readonly end: ServiceEnd };
