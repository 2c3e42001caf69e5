/**
 * Applies any operation of the log: to the volume that it is about, or to the catalog.
 */
import type { DatasetId } from '../../store/units.js';
import type { Operation } from '../operation.js';
import type { StoreState } from '../state.js';
import { Applier } from './applier.js';
import { DatasetChanges } from './datasets.js';

export class StoreApplier {
  readonly #state: StoreState;
  readonly #datasets: DatasetChanges;
  readonly #volumes = new Map<DatasetId, Applier>();

  constructor(state: StoreState) {
    this.#state = state;
    this.#datasets = new DatasetChanges(state);
  }

  /** The applier of a volume. */
  of(dataset: DatasetId): Applier {
    const known = this.#volumes.get(dataset);
    if (known !== undefined) return known;
    const applier = new Applier(this.#state.volume(dataset));
    this.#volumes.set(dataset, applier);
    return applier;
  }

  /** `dataset`: the volume that the operation is about; of no meaning for those on datasets. */
  apply(dataset: DatasetId, operation: Operation): void {
    switch (operation.type) {
      case 'synced':
        break;
      case 'createVolume':
      case 'createSnapshot':
      case 'destroy':
      case 'renameDataset':
      case 'setProperties':
      case 'rollback':
      case 'adopt':
        this.#datasets.apply(operation);
        if (operation.type === 'destroy') this.#volumes.delete(operation.id);
        if (operation.type === 'adopt' && operation.from !== operation.volume) this.#volumes.delete(operation.from);
        break;
      default:
        this.of(dataset).apply(operation);
    }
  }
}
