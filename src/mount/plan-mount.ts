/**
 * From what a mount was asked for to what it will be: words and properties put together, and refused where they cannot be.
 */
import { StoreError } from '../errors/store-error.js';
import { type AccessTime, parseMountOptions } from '../fuse/mount-options.js';
import type { Dataset } from '../volume/dataset.js';
import { Datasets } from '../volume/datasets.js';
import { COMMIT_INTERVAL_MS_DEFAULT, type Durability } from '../volume/options.js';
import { propertyOf } from '../volume/properties.js';
import type { MountDescription, MountRequest } from './mount-request.js';
import type { OpenedStore } from './opened-store.js';
import { checkWritable } from './read-only-store.js';

export type MountPlan = Omit<MountDescription, 'id' | 'device'>;

/** Decides on a mount. Throws StoreError, FuseError for `-o`. */
export function planMount(request: MountRequest, { store, readOnly: isOpenedReadOnly }: OpenedStore): MountPlan {
  if (request.resetOnMount || request.ephemeral) checkWritable(store);
  const options = parseMountOptions(request.options);
  const dataset = new Datasets(store).named(request.dataset);
  const { catalog } = store.state;
  const volume = catalog.require(dataset.volume);
  const said = (name: 'atime' | 'durability'): string => propertyOf(catalog, volume, name).value;
  const wantsWriting = !request.readOnly && !options.readOnly && dataset.type === 'volume';
  if (wantsWriting && isOpenedReadOnly) throw openedReadOnly(dataset);
  // With `sync` the kernel fsyncs after each write, but not after changes of names and attributes, and `dirsync` it leaves to the
  // file system altogether (mount(8)).
  const durability =
    options.sync || options.dirsync ? 'sync' : (request.durability ?? (said('durability') as Durability));
  const readOnly = !wantsWriting || store.readOnlyReason !== '';
  return {
    mountPoint: request.mountPoint,
    dataset: dataset.id,
    view: dataset.view,
    readOnly,
    durability,
    commitIntervalMs: request.commitIntervalMs ?? COMMIT_INTERVAL_MS_DEFAULT[durability],
    options: { ...options, readOnly, accessTime: options.accessTime ?? (said('atime') as AccessTime) },
    transport: request.transport,
  };
}

const openedReadOnly = ({ name }: Dataset): StoreError =>
  new StoreError(
    'in-use',
    `The volume "${name}" cannot be mounted for writing: the store is open read-only, for another mount.`,
    'Unmount that first, or add --read-only.',
  );
