/**
 * Unmounting from outside the daemon: `razorfs umount`. It is done when the daemon has written its last checkpoint, not when
 * the mount is out of sight.
 */
import { FuseError } from '../fuse/fuse-error.js';
import { unmount as fuseUnmount } from '../fuse/unmount.js';
import { type AnsweringDaemon, ControlClient, type DaemonEnd } from './control-client.js';
import { livenessOf } from './liveness.js';
import { MountError } from './mount-error.js';
import { FILE_SYSTEM_TYPE, type MountEntry, mountAt } from './mount-table.js';
import { mountUsers } from './mount-users.js';
import { mountPointPath, storePath } from './paths.js';

const USERS_NAMED_MAX = 5;

export interface UnmountReport {
  readonly mountPoint: string;
  /** All that were unmounted: several when the store was named. */
  readonly mountPoints: readonly string[];
  readonly store: string;
  /**
   * `clean`: the daemon has finished and the store is clean. `left`: the daemon goes on with other mounts of it. `detached`: out of sight, the daemon ends with the last user.
   * `cleared`: it was a dead mount, whose daemon had ended before.
   */
  readonly outcome: 'clean' | 'left' | 'detached' | 'cleared';
}

/** Unmounts what `target` names: a mount point, or a store that a daemon serves. */
export async function unmount(target: string, lazy: boolean): Promise<UnmountReport> {
  const mountPoint = mountPointPath(target);
  const entry = mountAt(mountPoint);
  if (entry === undefined) {
    return stopDaemonOf(target);
  }
  if (entry.type !== FILE_SYSTEM_TYPE) {
    throw new MountError(
      'not-mounted',
      `${mountPoint} is a mount of type ${entry.type}, not RazorFS.`,
      `umount ${mountPoint}`,
    );
  }
  if (lazy) return unmountLazily(entry);
  const daemon = await ControlClient.connectAnswering(entry.source);
  try {
    return daemon === undefined ? unmountUnserved(entry, false) : await unmountServed(entry, daemon);
  } finally {
    daemon?.client.close();
  }
}

/** A mount whose daemon is stuck can be taken out of sight, too. */
async function unmountLazily(entry: MountEntry): Promise<UnmountReport> {
  const client = await ControlClient.connect(entry.source);
  client?.close();
  if (client === undefined) return unmountUnserved(entry, true);
  detach(entry.mountPoint, true);
  return reportOf(entry, 'detached');
}

async function unmountServed(entry: MountEntry, { client, status }: AnsweringDaemon): Promise<UnmountReport> {
  const { mountPoint, source: store } = entry;
  // The daemon does not hear of the end of a bind mount, nor of one of a store that was there before its own.
  const isKnown = status.mounts.some(
    (mount) => mount.mountPoint === mountPoint && ['', entry.device].includes(mount.device),
  );
  // Asked for first, so that it is not missed; nothing waits for it where unmounting is refused.
  const unmounted = isKnown ? client.unmounted(mountPoint) : undefined;
  detach(mountPoint, false);
  const end = await unmounted;
  if (end === undefined || end.outcome === 'left') return reportOf(entry, 'left');
  checkEnd(end, store);
  return reportOf(entry, 'clean');
}

function reportOf({ mountPoint, source: store }: MountEntry, outcome: UnmountReport['outcome']): UnmountReport {
  return { mountPoint, mountPoints: [mountPoint], store, outcome };
}

/** A mount whose daemon does not listen: it has died, or the mount was made under another source name. */
function unmountUnserved(entry: MountEntry, lazy: boolean): UnmountReport {
  const dead = livenessOf(entry.mountPoint) === 'dead';
  detach(entry.mountPoint, lazy || dead);
  return reportOf(entry, dead ? 'cleared' : 'detached');
}

/** A daemon can be without a mount: after a lazy unmount, while its last user is still there. */
async function stopDaemonOf(target: string): Promise<UnmountReport> {
  const store = storePath(target);
  const daemon = await ControlClient.connectAnswering(store);
  if (daemon === undefined) {
    throw new MountError('not-mounted', `${target} is not mounted.`, 'razorfs status   lists what is.');
  }
  const { client, status } = daemon;
  try {
    const mountPoints = status.mounts.map(({ mountPoint }) => mountPoint);
    await client.stop();
    checkEnd(await client.ended, store);
    return { mountPoint: mountPoints[0] ?? '', mountPoints, store, outcome: 'clean' };
  } finally {
    client.close();
  }
}

function checkEnd(end: DaemonEnd, store: string): void {
  if (end.outcome !== 'clean') {
    throw new MountError(
      'not-clean',
      `Unmounted, but the store ${store} was not left clean: ${end.error}`,
      'The next mount recovers it. The log, razorfs.log in the store, may say more.',
    );
  }
}

/** Unmounts, and where that is refused because of use, says whose. */
function detach(mountPoint: string, lazy: boolean): void {
  try {
    fuseUnmount(mountPoint, lazy);
  } catch (error) {
    if (!(error instanceof FuseError) || error.code !== 'busy') {
      throw error;
    }
    const users = mountUsers(mountPoint, USERS_NAMED_MAX).map(
      (user) => `${user.name} (pid ${user.pid}) uses ${user.path}`,
    );
    const advice = `End what uses it, or take it out of sight with: razorfs umount --lazy ${mountPoint}`;
    throw new MountError('busy', `${mountPoint} is in use.`, [...users, advice].join('\n'));
  }
}
