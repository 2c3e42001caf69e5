/**
 * What carries the requests of a mount between the kernel and the file system: the kernel's own protocol (src/fuse), or libfuse 2
 * by the package fuse-native (src/fuse-native), which is loaded only when it is asked for.
 */
import type { FileSystemOperations } from '../filesystem/operations.js';
import type { Connection } from '../fuse/connection.js';
import { FailureLog } from '../fuse/failure-log.js';
import type { MountOptions } from '../fuse/mount-options.js';
import type { Session, SessionEnd } from '../fuse/session.js';
import type { FuseNative } from '../fuse-native/package.js';
import type { Ino } from '../store/units.js';
import type { Logger } from './log.js';
import type { TransportName } from './mount-request.js';

export interface Transport {
  readonly name: TransportName;
  /** The descriptor with which another process can go on with the mount; undefined where the mount ends with this one. */
  readonly descriptor: number | undefined;
  /** Resolves when nothing is served any more and no answer is under way. It never rejects. */
  readonly ended: Promise<SessionEnd>;
  /** Takes no more requests. The mount stays as long as its descriptor is open. */
  stop(): Promise<SessionEnd>;
  /** Tells the kernel that something is no more as it knows it (fuse/notify.ts). Resolves with the positive errno, 0 for none. */
  notify(notification: Uint8Array): Promise<number>;
  /** Gives up those of some nodes without a name which nobody uses any more. */
  reconsider(nodes: Iterable<Ino>): Promise<void>;
  /** How many requests of each kind there were so far, by the protocol's name; empty over fuse-native, where libfuse takes them. */
  requests(): Readonly<Record<string, number>>;
  /** Lets go of the kernel, once `ended` has resolved: whoever still waits for an answer gets ENOTCONN. */
  close(): void;
}

export const kernelTransport = (connection: Connection, session: Session): Transport => ({
  name: 'kernel',
  descriptor: connection.mount,
  ended: session.ended,
  stop: () => session.stop(),
  notify: (notification) => session.notify(notification),
  reconsider: (nodes) => session.reconsider(nodes),
  requests: () => session.trace.report(),
  close: () => connection.close(),
});

/** Loads fuse-native. Throws `FuseNativeError`. */
export async function loadFuseNative(): Promise<FuseNative> {
  const { FuseNative } = await import('../fuse-native/package.js');
  return FuseNative.load();
}

/** Mounts over fuse-native. Throws `FuseNativeError`. */
export async function startFuseNative(
  fuseNative: FuseNative,
  mountPoint: string,
  source: string,
  options: MountOptions,
  filesystem: FileSystemOperations,
  log: Logger,
): Promise<Transport> {
  const { FuseNativeSession } = await import('../fuse-native/session.js');
  const failures = new FailureLog(log);
  const report = (failure: unknown): void => failures.report(failure);
  const session = await FuseNativeSession.start(fuseNative, { mountPoint, source, options, filesystem, report });
  return {
    name: 'fuse-native',
    descriptor: undefined,
    ended: session.ended,
    stop: () => session.stop(),
    // Libfuse 2 is given no way: what the kernel knows, it believes for a second.
    notify: () => Promise.resolve(0),
    // They go when they are closed, or with the mount.
    reconsider: () => Promise.resolve(),
    requests: () => ({}),
    // libfuse has closed it, or does so when this process ends.
    close: () => undefined,
  };
}
