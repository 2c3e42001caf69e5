/**
 * What is just being mounted. It counts as mounted from the beginning, so that no command destroys it meanwhile.
 */
import type { DatasetId } from '../store/units.js';
import type { MountedDataset } from '../volume/state.js';
import type { MountPlan } from './plan-mount.js';

export class BeginningMounts {
  readonly #mounted: MountedDataset[];
  readonly #beginning = new Set<MountedDataset>();

  /** `mounted`: what is mounted in the store, as the volumes know it. */
  constructor(mounted: MountedDataset[]) {
    this.#mounted = mounted;
  }

  get count(): number {
    return this.#beginning.size;
  }

  has(id: DatasetId): boolean {
    return [...this.#beginning].some(({ dataset }) => dataset === id);
  }

  begin({ dataset, mountPoint }: MountPlan): MountedDataset {
    const beginning = { dataset, mountPoint };
    this.#beginning.add(beginning);
    this.#mounted.push(beginning);
    return beginning;
  }

  /** It is mounted now, or could not be. */
  end(beginning: MountedDataset): void {
    this.#beginning.delete(beginning);
    this.#mounted.splice(this.#mounted.indexOf(beginning), 1);
  }
}
