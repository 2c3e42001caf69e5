/**
 * What is mounted, and in which state: the kernel's list of mounts, put together with what the daemons say.
 */
import { ControlClient } from './control-client.js';
import type { MountStatus } from './control-protocol.js';
import { describeIdleStore, type IdleStore } from './idle-store.js';
import { livenessOf } from './liveness.js';
import { MountError } from './mount-error.js';
import { FILE_SYSTEM_TYPE, type MountEntry, mountAt, mountsOfStore, razorfsMounts } from './mount-table.js';
import { mountPointPath, storePath } from './paths.js';
import { directoryState, notAStore } from './store-directory.js';
import { explainStoreFailure } from './store-failure.js';

export type MountState =
  | { readonly state: 'mounted'; readonly mountPoint: string; readonly store: string; readonly status: MountStatus }
  /** Unmounted lazily: the daemon serves those who still have files open. */
  | { readonly state: 'detached'; readonly mountPoint: string; readonly store: string; readonly status: MountStatus }
  /** The daemon has died and left the mount behind. */
  | { readonly state: 'dead'; readonly mountPoint: string; readonly store: string }
  /** Mounted, but its daemon could not be asked. */
  | { readonly state: 'unknown'; readonly mountPoint: string; readonly store: string; readonly reason: string }
  | { readonly state: 'not-mounted'; readonly store: string; readonly idle: IdleStore };

/** Every RazorFS mount that this process can see. */
export async function surveyMounts(): Promise<MountState[]> {
  return Promise.all(razorfsMounts().map(stateOfMount));
}

/** The mount, or the store, that `target` names. Throws `not-mounted` or `not-a-store` when it is neither. */
export async function survey(target: string): Promise<MountState> {
  const entry = mountAt(mountPointPath(target));
  if (entry?.type === FILE_SYSTEM_TYPE) {
    return stateOfMount(entry);
  }
  const store = storePath(target);
  const [mounted] = mountsOfStore(store);
  if (mounted !== undefined) {
    return stateOfMount(mounted);
  }
  switch (directoryState(store)) {
    case 'store': {
      const status = await askDaemon(store);
      return status === undefined
        ? { state: 'not-mounted', store, idle: idleStore(store) }
        : { state: 'detached', mountPoint: status.mountPoint, store, status };
    }
    case 'empty':
    case 'missing':
      throw new MountError(
        'not-mounted',
        `Nothing is mounted at ${target}, and it is not a store.`,
        'razorfs status   lists what is mounted.',
      );
    case 'other':
      throw notAStore(store);
  }
}

function idleStore(store: string): IdleStore {
  try {
    return describeIdleStore(store);
  } catch (error) {
    throw explainStoreFailure(store, error);
  }
}

async function stateOfMount(entry: MountEntry): Promise<MountState> {
  const { mountPoint, source: store } = entry;
  try {
    const status = await askDaemon(store);
    if (status !== undefined) {
      return { state: 'mounted', mountPoint, store, status };
    }
  } catch (error) {
    return { state: 'unknown', mountPoint, store, reason: error instanceof Error ? error.message : String(error) };
  }
  switch (livenessOf(mountPoint)) {
    case 'dead':
      return { state: 'dead', mountPoint, store };
    case 'silent':
      return { state: 'unknown', mountPoint, store, reason: 'its daemon does not answer' };
    case 'alive':
      return { state: 'unknown', mountPoint, store, reason: 'its daemon cannot be found' };
  }
}

async function askDaemon(store: string): Promise<MountStatus | undefined> {
  const client = await ControlClient.connect(store);
  try {
    return await client?.status();
  } finally {
    client?.close();
  }
}
