/**
 * States of volumes as users name them: a snapshot, `[volume@]snapshot`, or a volume as it is now.
 */
import { StoreError } from '../../errors/store-error.js';
import type { Dataset } from '../../volume/dataset.js';
import { unlessAborted } from '../unless-aborted.js';
import { requireSnapshot } from './dataset-names.js';
import type { CommandContext } from './store-command.js';

/** What a name means: a snapshot of the volume that the command is about goes before a volume. Throws StoreError. */
export function stateNamed(name: string, context: CommandContext): Dataset {
  const { store, datasets, volume } = context;
  if (name.includes('@')) return requireSnapshot(name, context);
  const { catalog } = store.state;
  const found = catalog.snapshotNamed(volume.id, name) ?? catalog.volumeNamed(name);
  if (found !== undefined) return found;
  throw new StoreError(
    'no-such-snapshot',
    `There is no snapshot "${name}" of the volume "${datasets.nameOf(volume)}", and no volume of that name.`,
    'See those that there are with: razorfs snapshot list',
  );
}

/**
 * Has the kernel hand over what programs have written, where the state is that of now. Removed trees are swept before: what comes next
 * would wait for that, and miss what programs write meanwhile.
 */
export async function flushed(state: Dataset, { store, mounts, signal }: CommandContext): Promise<void> {
  if (state.type !== 'volume') return;
  await unlessAborted(store.swept(), signal);
  await mounts.flush(state.id);
}

/** The same for a volume that is about to be replaced as a whole: what the kernel has cached of it goes before. */
export async function flushedToReplace(volume: Dataset, { store, mounts, signal }: CommandContext): Promise<void> {
  await unlessAborted(store.swept(), signal);
  await mounts.emptyCaches(volume.id);
  await mounts.flush(volume.id);
}

/**
 * Waits for what replaces the state of a volume, wholly or at a path, and then has its mount look again: also when that fails, since it
 * may have come as far as that.
 */
export async function tellingMounts<Result>(
  { mounts }: CommandContext,
  volume: Dataset,
  path: string,
  replacing: Promise<Result>,
): Promise<Result> {
  try {
    return await replacing;
  } finally {
    await mounts.rolledBack(volume.id, path);
  }
}
