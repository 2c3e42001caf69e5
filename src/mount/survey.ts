/**
 * What is mounted, and in which state: the kernel's list of mounts, put together with what the daemons say.
 */
import { ControlClient } from './control-client.js';
import type { MountStatus, ServedDataset } from './control-protocol.js';
import { describeIdleStore, type IdleStore } from './idle-store.js';
import { livenessOf } from './liveness.js';
import { MountError } from './mount-error.js';
import { FILE_SYSTEM_TYPE, type MountEntry, mountAt, mountsOfStore, razorfsMounts } from './mount-table.js';
import { mountPointPath, storePath } from './paths.js';
import { directoryState, notAStore } from './store-directory.js';
import { explainStoreFailure } from './store-failure.js';

/** A mount that a daemon serves. What the status has of its first mount is that of this one. */
interface ServedState {
  readonly mountPoint: string;
  readonly store: string;
  readonly mount: ServedDataset;
  readonly status: MountStatus;
}

export type MountState =
  | (ServedState & { readonly state: 'mounted' })
  /** Unmounted lazily: the daemon serves those who still have files open. */
  | (ServedState & { readonly state: 'detached' })
  /** The daemon has died and left the mount behind. */
  | { readonly state: 'dead'; readonly mountPoint: string; readonly store: string }
  /** Mounted, but its daemon could not be asked. */
  | { readonly state: 'unknown'; readonly mountPoint: string; readonly store: string; readonly reason: string }
  | { readonly state: 'not-mounted'; readonly store: string; readonly idle: IdleStore };

/** Every RazorFS mount that this process can see. */
export async function surveyMounts(): Promise<MountState[]> {
  return Promise.all(razorfsMounts().map(stateOfMount));
}

/** The mount, or the store with all its mounts, that `target` names. Throws `not-mounted` or `not-a-store` when it is neither. */
export async function survey(target: string): Promise<MountState[]> {
  const entry = mountAt(mountPointPath(target));
  if (entry?.type === FILE_SYSTEM_TYPE) {
    return [await stateOfMount(entry)];
  }
  const store = storePath(target);
  const inSight = await Promise.all(mountsOfStore(store).map(stateOfMount));
  switch (directoryState(store)) {
    case 'store': {
      const status = inSight.some(({ state }) => state === 'dead') ? undefined : await askDaemon(store);
      const seen = inSight.map((state) => ('mount' in state ? state.mount.device : ''));
      const hidden = (status?.mounts ?? []).filter(({ device }) => !seen.includes(device));
      const detached = hidden.map((mount): MountState => ({ state: 'detached', ...servedState(status!, mount) }));
      const states = [...inSight, ...detached];
      return states.length > 0 ? states : [{ state: 'not-mounted', store, idle: idleStore(store) }];
    }
    case 'empty':
    case 'missing':
      if (inSight.length > 0) return inSight;
      throw new MountError(
        'not-mounted',
        `Nothing is mounted at ${target}, and it is not a store.`,
        'razorfs status   lists what is mounted.',
      );
    case 'other':
      throw notAStore(store);
  }
}

const servedState = (status: MountStatus, mount: ServedDataset): ServedState => ({
  mountPoint: mount.mountPoint,
  store: status.store,
  mount,
  status: {
    ...status,
    mountPoint: mount.mountPoint,
    requests: mount.requests,
    volume: { ...status.volume, durability: mount.durability },
  },
});

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
    // A daemon that was started before stores had several mounts does not list them.
    const mounts: readonly ServedDataset[] | undefined = status?.mounts;
    const mount = mounts?.find(({ device }) => device === entry.device);
    if (status !== undefined && mount !== undefined) {
      return { state: 'mounted', ...servedState(status, mount) };
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
      return { state: 'unknown', mountPoint, store, reason: 'its daemon does not know of it, or cannot be found' };
  }
}

async function askDaemon(store: string): Promise<MountStatus | undefined> {
  const daemon = await ControlClient.connectAnswering(store);
  daemon?.client.close();
  return daemon?.status;
}
