/**
 * Serving a store in this process: from a request to mount, or from where another process left it. Used by worker.ts.
 */
import { type MountOptions, parseMountOptions } from '../fuse/mount-options.js';
import { MAIN_NAME } from '../volume/dataset.js';
import { COMMIT_INTERVAL_MS_DEFAULT } from '../volume/options.js';
import type { Terminal } from './log.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { OpenedStore, type StoreRequest } from './opened-store.js';
import { checkPreconditions } from './preconditions.js';
import { watchProcess } from './process-events.js';
import { ServedStore } from './served-store.js';
import { requireStore } from './store-directory.js';
import { loadFuseNative } from './transport.js';
import type { DescriptorKeeper, InheritedStore } from './worker-protocol.js';

/** Mounts as asked. `terminal` receives what the log says, for a person. Everything is undone when it throws. */
export async function serve(
  request: MountRequest,
  keeper: DescriptorKeeper,
  terminal?: Terminal,
): Promise<{ readonly service: ServedStore; readonly report: MountReport }> {
  const options = parseMountOptions(request.options);
  checkPreconditions(request.mountPoint, request.store, options.nonempty);
  // Before anything is made: it may be missing.
  const fuseNative = request.transport === 'fuse-native' ? await loadFuseNative() : undefined;
  if (request.dataset !== MAIN_NAME) requireStore(request.store);
  const store = await OpenedStore.open(storeRequest(request, options), terminal);
  try {
    await keeper.keepLock(store.lockDescriptor);
    const served = await ServedStore.start(request, store, keeper, fuseNative);
    watchProcess(served.service, store.log, terminal !== undefined);
    return served;
  } catch (error) {
    store.log.error({ err: error }, 'not mounted');
    await store.closeStore().finally(() => store.release());
    throw error;
  }
}

/** Goes on with a store that another process served until it died or was asked to make room. `request` is its first mount's. */
export async function resume(
  request: MountRequest,
  inherited: InheritedStore,
  keeper: DescriptorKeeper,
  terminal?: Terminal,
): Promise<ServedStore> {
  const options = parseMountOptions(request.options);
  const store = await OpenedStore.open(storeRequest(request, options), terminal, inherited.lock);
  const service = await ServedStore.resume(inherited, store, keeper);
  watchProcess(service, store.log, terminal !== undefined);
  return service;
}

/** How the store of a mount is to be opened. */
function storeRequest(request: MountRequest, options: MountOptions): StoreRequest {
  const { mountPoint, store, label, durability = 'interval' } = request;
  return {
    store,
    label,
    // `sync` is the affair of each mount.
    durability: durability === 'sync' ? 'interval' : durability,
    commitIntervalMs: request.commitIntervalMs ?? COMMIT_INTERVAL_MS_DEFAULT[durability],
    readOnly: request.readOnly || options.readOnly,
    holder: 'razorfs',
    mountPoint,
  };
}
