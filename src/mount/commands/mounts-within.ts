/**
 * What is mounted within a mount, when that is about to show other files.
 */
import { StoreError } from '../../errors/store-error.js';
import type { Dataset } from '../../volume/dataset.js';
import type { CommandContext } from './store-command.js';

/** The kernel takes a mount away whose mount point is replaced: refused, with `path` empty for the whole volume. Throws StoreError. */
export function checkNothingMountedBelow(
  volume: Dataset,
  path: string,
  { mounts }: Pick<CommandContext, 'mounts'>,
): void {
  const [inside] = mounts.mountsBelow(volume.id, path);
  if (inside === undefined) return;
  throw new StoreError(
    'in-use',
    `Something is mounted at ${inside}, within what would be replaced.`,
    'Unmount it first.',
  );
}
