/**
 * What is spoken on a store's control socket, `<store>/control.sock`: one JSON value a line, requests one way and answers
 * the other, in order. The socket can be opened by the store's owner and by root only.
 *
 * A client that stays connected until the daemon ends is told how it ended: `stopped` is the daemon's last line. A
 * connection that ends without it means that the daemon died.
 *
 * `run` makes the rest of the connection, both ways, that of one command: after the answer `running` follow frames
 * (command-frames.ts).
 */
import { closeSync, openSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { VolatileKind } from '../store/volatile.js';
import type { DatasetType } from '../volume/dataset.js';
import type { Durability, StoreStatus } from '../volume/options.js';
import type { ScrubStatus } from '../volume/scrub.js';
import type { MountReport, MountRequest, TransportName } from './mount-request.js';
import type { SerialisedError } from './serialised-error.js';

export const CONTROL_SOCKET = 'control.sock';

/** `scrub` begins one, unless one is running. */
export type ScrubRequest =
  | { readonly command: 'scrub'; readonly bytesPerSecond: number }
  | { readonly command: 'scrub-status' | 'scrub-stop' };

/** A command on the store (commands/registry.ts). */
export interface RunRequest {
  readonly command: 'run';
  readonly name: string;
  readonly args: object;
  /** The mount point that the command was given, which may be a bind mount; empty where it was given the store. */
  readonly mountPoint: string;
  /** The `major:minor` of what is mounted there; empty likewise. */
  readonly device: string;
  readonly caller: { readonly uid: number; readonly gid: number };
}

export type ControlRequest =
  | { readonly command: 'status' | 'stop' | 'restart' }
  /** Mounts one more volume or snapshot of the store. */
  | { readonly command: 'mount'; readonly request: MountRequest }
  | ScrubRequest
  | RunRequest;

export const CONTROL_COMMANDS: readonly ControlRequest['command'][] = [
  'status',
  'stop',
  'restart',
  'scrub',
  'scrub-status',
  'scrub-stop',
  'mount',
  'run',
];

export type ControlAnswer =
  | { readonly answer: 'status'; readonly status: MountStatus }
  /** All mounts are being taken down; `stopped` will follow. */
  | { readonly answer: 'stopping' }
  /** The present scrub, or the last one of this process; null when there was none. */
  | { readonly answer: 'scrub'; readonly scrub: ScrubStatus | null }
  /** This process ends, and another goes on with the same mount. */
  | { readonly answer: 'restarting' }
  | { readonly answer: 'mounted'; readonly report: MountReport }
  | { readonly answer: 'failed'; readonly error: SerialisedError }
  /** Not asked for: one of several mounts has ended. `error` is empty when all went well. */
  | { readonly answer: 'unmounted'; readonly mountPoint: string; readonly error: string }
  /** The daemon has ended. `error` is empty when the store was left clean. */
  | { readonly answer: 'stopped'; readonly error: string }
  /** The command runs: frames follow. */
  | { readonly answer: 'running' }
  | { readonly answer: 'refused'; readonly message: string };

/** What a serving process knows of one of its mounts. */
export interface ServedDataset {
  readonly mountPoint: string;
  /** The device number of the mount; empty when it was never seen. */
  readonly device: string;
  /** The name of what is shown: `volume`, or `volume@snapshot`. */
  readonly dataset: string;
  readonly type: DatasetType;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly inodes: number;
  /** The sizes of its regular files, in bytes. */
  readonly dataBytes: number;
  /** What the last reset has left behind counts among these until it is swept; in a store that is read-only it stays. */
  readonly isUnswept: boolean;
  /** Milliseconds since 1970: when the present process began to serve it. */
  readonly mountedAtMs: number;
  /**
   * How many requests of each kind this process has had for it from the kernel, by the protocol's name for it (`LOOKUP`). Empty
   * over fuse-native, where libfuse takes them.
   */
  readonly requests: Readonly<Record<string, number>>;
}

/** What a serving process knows of its store and mounts. */
export interface MountStatus {
  /** Of the first mount. */
  readonly mountPoint: string;
  readonly store: string;
  readonly pid: number;
  readonly transport: TransportName;
  /** The process that starts another in the place of this one when it dies. */
  readonly supervisorPid: number;
  /** How often that has happened since the first mount, and what became of the last one; empty when it never has. */
  readonly restarts: number;
  readonly lastDeath: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The kind of memory that the store lies in, and with which it goes when the machine stops; null for a disk. */
  readonly volatile: VolatileKind | null;
  /** The store as a whole; durability is that of the first mount. */
  readonly volume: StoreStatus;
  /** RAM that the serving process has for itself (RssAnon, proc_pid_status(5)): without the mapped pages of the store. */
  readonly privateBytes: number;
  /** Of the first mount. */
  readonly requests: Readonly<Record<string, number>>;
  readonly mounts: readonly ServedDataset[];
}

/** The longest line that either side takes, in characters. */
const LINE_LENGTH_MAX = 1 << 20;

/** Splits a stream of UTF-8 into lines; throws when one grows beyond the bound. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  *split(chunk: Buffer | string): Generator<string> {
    const text = typeof chunk === 'string' ? chunk : this.#decoder.write(chunk);
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    if (this.#rest.length > LINE_LENGTH_MAX) {
      throw new Error('control line too long');
    }
    yield* parts;
  }
}

/**
 * A short path to the store's control socket. A socket's path has room for 107 bytes (unix(7)) and a store's path may be
 * longer, so the socket is reached through an open descriptor of its directory, which must stay open while the path is used.
 */
export class SocketDirectory {
  readonly socketPath: string;
  readonly #fd: number;

  constructor(store: string) {
    this.#fd = openSync(store, 'r');
    this.socketPath = `/proc/self/fd/${this.#fd}/${CONTROL_SOCKET}`;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
