/**
 * A mount served by fuse-native, from mounting to its end.
 *
 * Threads of libfuse read the requests, and wait while the callbacks are answered on the event loop. libfuse opens the descriptor
 * of /dev/fuse and keeps it to itself, so that no other process can go on with the mount, and tells nobody when the mount has
 * ended; but it closes the descriptor then, once all its threads have come back, which is what is looked for here.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import type { FileSystemOperations } from '../filesystem/operations.js';
import { Answers } from './answers.js';
import { callbacksOf } from './callbacks.js';
import { FuseNativeError } from './fuse-native-error.js';
import { type LibfuseOptions, libfuseOptions } from './libfuse-options.js';
import type { FuseNative } from './package.js';
import { PathOperations } from './path-operations.js';

const DEVICE = '/dev/fuse';
const DESCRIPTORS = '/proc/self/fd';
/** How often the descriptor is looked at. */
const LOOK_INTERVAL_MS = 50;

export interface FuseNativeSessionOptions {
  readonly mountPoint: string;
  /** What the list of mounts shows. */
  readonly source: string;
  readonly options: LibfuseOptions;
  readonly filesystem: FileSystemOperations;
  /** Told of failures that are not the callers' doing. */
  readonly report: (failure: unknown) => void;
}

/** `unmounted`: the kernel has ended the connection. `stopped`: by `stop`. */
export interface FuseNativeSessionEnd {
  readonly reason: 'unmounted' | 'stopped';
}

export class FuseNativeSession {
  /** Resolves when the session is over and no answer is under way any more. It never rejects. */
  readonly ended: Promise<FuseNativeSessionEnd>;
  readonly #answers: Answers;
  #timer: NodeJS.Timeout | undefined;
  #resolveEnded!: (end: FuseNativeSessionEnd) => void;

  /** Mounts; resolves when programs can use the mount. Throws `FuseNativeError`. */
  static async start(fuseNative: FuseNative, details: FuseNativeSessionOptions): Promise<FuseNativeSession> {
    const { mountPoint, source, options, filesystem } = details;
    const answers = new Answers(filesystem, details.report);
    // Nobody else gets past the kernel: without allow_other it lets in this user and group only (fuse_permissible_uidgid).
    const caller = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: 0, umask: 0, request: 0 };
    const words = libfuseOptions(mountPoint, source, options);
    const callbacks = callbacksOf(new PathOperations(filesystem, caller), answers);
    const mount = fuseNative.prepare(mountPoint, words, callbacks);
    const before = new Set(openDevices());
    await new Promise<void>((resolve, reject) => {
      mount.mount((error) => (error === null ? resolve() : reject(mountFailed(mountPoint, error))));
    });
    const descriptor = openDevices().find((fd) => !before.has(fd));
    if (descriptor === undefined) {
      throw new FuseNativeError('mount-failed', `The mount on ${mountPoint} ended before it was ready.`);
    }
    return new FuseNativeSession(answers, descriptor);
  }

  private constructor(answers: Answers, descriptor: string) {
    this.#answers = answers;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#timer = setInterval(() => {
      if (!isDevice(descriptor)) {
        void this.#end('unmounted');
      }
    }, LOOK_INTERVAL_MS);
  }

  /** Refuses all requests from now on. The mount itself ends with the process. */
  stop(): Promise<FuseNativeSessionEnd> {
    void this.#end('stopped');
    return this.ended;
  }

  async #end(reason: FuseNativeSessionEnd['reason']): Promise<void> {
    clearInterval(this.#timer);
    await this.#answers.end();
    this.#resolveEnded({ reason });
  }
}

/** The descriptors of this process on which it has /dev/fuse open. */
const openDevices = (): string[] => readdirSync(DESCRIPTORS).filter(isDevice);

function isDevice(descriptor: string): boolean {
  try {
    return readlinkSync(`${DESCRIPTORS}/${descriptor}`) === DEVICE;
  } catch {
    // Closed meanwhile.
    return false;
  }
}

const mountFailed = (mountPoint: string, error: Error): FuseNativeError =>
  new FuseNativeError(
    'mount-failed',
    `libfuse could not mount on ${mountPoint}: ${error.message}.`,
    'With -f it says why on the terminal.',
  );
