/**
 * Restarting the worker of a mount from outside: `razorfs restart`.
 */
import { setTimeout } from 'node:timers/promises';
import { ControlClient } from './control-client.js';
import { MountError } from './mount-error.js';
import { mountAt } from './mount-table.js';
import { mountPointPath, storePath } from './paths.js';

/** How long the new process may take: it may have a log to replay. */
const READY_MS_MAX = 60_000;
const LOOK_INTERVAL_MS = 20;

export interface RestartReport {
  readonly mountPoint: string;
  readonly store: string;
  /** The new process. */
  readonly pid: number;
  /** From the request until the new process answered. */
  readonly milliseconds: number;
}

/** Restarts what serves `target`: a mount point, or a store. Resolves when the new process serves. */
export async function restart(target: string): Promise<RestartReport> {
  const store = mountAt(mountPointPath(target))?.source ?? storePath(target);
  const daemon = await ControlClient.connectAnswering(store);
  if (daemon === undefined) {
    throw new MountError('not-mounted', `${target} is not mounted.`, 'razorfs status   lists what is.');
  }
  const { client, status: before } = daemon;
  if (before.transport === 'fuse-native') {
    client.close();
    const message = `${before.mountPoint} is served over fuse-native, where no other process can go on with a mount.`;
    throw new MountError(
      'not-restartable',
      message,
      `Unmount it, and mount it again: razorfs umount ${before.mountPoint}`,
    );
  }
  const startedMs = performance.now();
  try {
    await client.restart();
    await client.ended;
  } finally {
    client.close();
  }
  const { mountPoint } = before;
  for (;;) {
    const successor = await ControlClient.connectAnswering(store);
    successor?.client.close();
    const milliseconds = performance.now() - startedMs;
    if (successor !== undefined && successor.status.pid !== before.pid) {
      return { mountPoint, store, pid: successor.status.pid, milliseconds };
    }
    if (milliseconds > READY_MS_MAX) {
      const advice = 'The log, razorfs.log in the store, may say why.';
      throw new MountError('no-answer', `${mountPoint} has no new serving process yet.`, advice);
    }
    await setTimeout(LOOK_INTERVAL_MS);
  }
}
