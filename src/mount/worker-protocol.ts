/**
 * What a supervisor and the worker that serves its mounts say to each other, over the IPC channel of child_process.
 *
 * A worker shares its descriptors with the supervisor over a Unix socket (SCM_RIGHTS): before each message `lock` and `mounted` it
 * sends the descriptor that the message is about. Each later worker inherits all that the supervisor has.
 */
import type { ServiceEnd } from './control-server.js';
import type { MountDescription, MountReport, MountRequest } from './mount-request.js';
import type { SerialisedError } from './serialised-error.js';

/** How often processes that served a store have died, and how the last one did: `SIGKILL`, `exit code 70`; empty for none. */
export interface Deaths {
  readonly count: number;
  readonly last: string;
}

export interface InheritedMount {
  /** The descriptor of /dev/fuse. */
  readonly fuse: number;
  readonly description: MountDescription;
}

/**
 * A store that another process has served. Mounts over fuse-native end with the process that serves them: none is among these.
 */
export interface InheritedStore {
  /** The descriptor of the lock. */
  readonly lock: number;
  readonly mounts: readonly InheritedMount[];
  readonly deaths: Deaths;
  /** The `id` that the next mount gets: none is used twice. */
  readonly nextMount: number;
}

/** Keeps the descriptors that must outlive this process. */
export interface DescriptorKeeper {
  /** Whether somebody would start another process in the place of this one. */
  readonly isThere: boolean;
  keepLock(fd: number): Promise<void>;
  keepMount(fd: number, mount: MountDescription): Promise<void>;
  /** The kernel has been told of the tree that a mount shows now (MountDescription.view). */
  noteView(id: number, view: number): void;
  /** The mount has ended. */
  dropMount(id: number): void;
}

/** The supervisor's only message. */
export interface WorkerRequest {
  /** The first mount, for which the store was opened. */
  readonly request: MountRequest;
  /** Somebody watches: log lines go to standard error too. */
  readonly terminal: boolean;
  /** The descriptor of the socket over which a worker shares its descriptors. */
  readonly socket: number;
  readonly inherited?: InheritedStore;
}

export type WorkerMessage =
  /** The store's lock has been sent over the socket. */
  | { readonly kind: 'lock' }
  /** The /dev/fuse of a mount has been sent over the socket. */
  | { readonly kind: 'mounted'; readonly mount: MountDescription }
  /** The kernel has been told that a mount shows another tree (MountDescription.view). */
  | { readonly kind: 'replaced'; readonly id: number; readonly view: number }
  /** A mount has ended. */
  | { readonly kind: 'unmounted'; readonly id: number }
  | { readonly kind: 'ready'; readonly report: MountReport }
  | { readonly kind: 'failed'; readonly error: SerialisedError }
  | { readonly kind: 'ended'; readonly end: ServiceEnd };
