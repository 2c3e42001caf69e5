/**
 * Names of volumes and snapshots as users give them, relative to the volume that a command is about.
 */
import type { Dataset } from '../../volume/dataset.js';
import type { CommandContext } from './store-command.js';

type Surroundings = Pick<CommandContext, 'datasets' | 'volume'>;

/** Takes `[volume@]snapshot` apart. The snapshot need not exist; throws StoreError for a volume that does not. */
export function snapshotNamed(
  name: string,
  { datasets, volume }: Surroundings,
): { readonly volume: Dataset; readonly snapshot: string } {
  const at = name.indexOf('@');
  return at < 0
    ? { volume, snapshot: name }
    : { volume: at === 0 ? volume : datasets.volume(name.slice(0, at)), snapshot: name.slice(at + 1) };
}

/** The snapshot `[volume@]snapshot`. Throws StoreError when there is none. */
export function requireSnapshot(name: string, surroundings: Surroundings): Dataset {
  const { volume, snapshot } = snapshotNamed(name, surroundings);
  return surroundings.datasets.snapshot(volume.name, snapshot);
}

/** A volume by its name; the one that the command is about, where there is none. */
export const volumeNamed = (name: string | undefined, { datasets, volume }: Surroundings): Dataset =>
  name === undefined ? volume : datasets.volume(name);
