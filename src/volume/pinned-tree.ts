/**
 * A volume or snapshot as it is at one moment, to be read for as long as that takes: whatever is changed or destroyed meanwhile, its
 * tree, its names and its data stay.
 *
 * It is what a snapshot is, one more reference to a root, but it is in no catalog and not logged. Checkpoints keep it as a dying tree
 * (bookkeeping.ts), so that after a crash its reference is given up like that of a destroyed snapshot.
 */
import { StoreError } from '../errors/store-error.js';
import type { PageNumber } from '../store/units.js';
import { type Dataset, gone } from './dataset.js';
import { hasRemovedTrees } from './orphans.js';
import { VolumeState } from './state.js';
import type { Store } from './store.js';
import { Volume } from './volume.js';

export class PinnedTree {
  readonly volume: Volume;
  readonly dataset: Dataset;
  readonly #store: Store;
  readonly #isCounted: boolean;
  #isReleased = false;

  /** Throws StoreError for a dataset that has been destroyed, and for a volume that could not be swept: what is in removed trees has no path. */
  constructor(store: Store, dataset: Dataset) {
    const { state } = store;
    if (state.catalog.get(dataset.id) === undefined) throw gone(dataset);
    if (dataset.type === 'volume' && hasRemovedTrees(state.volume(dataset.id))) throw unswept(store, dataset);
    // The tree of a volume is ahead of its record.
    const root = dataset.type === 'volume' ? state.volume(dataset.id).tree.root : dataset.root;
    this.#store = store;
    // Nothing changes in a store that is read-only.
    this.#isCounted = store.isWritable;
    if (this.#isCounted) {
      state.pages.share(root);
      state.pinned.push(root);
    }
    this.dataset = { ...dataset, root };
    this.volume = new Volume(store, new VolumeState(state, this.dataset), 'a state that is being read');
  }

  get root(): PageNumber {
    return this.dataset.root;
  }

  /** To be called once nobody reads it any more. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if (!this.#isCounted) return;
    const { pages, pinned, dying } = this.#store.state;
    pinned.splice(pinned.indexOf(this.root), 1);
    if (pages.count(this.root) > 1) {
      pages.release(this.root);
    } else {
      dying.push(this.root);
      this.#store.reap();
    }
  }
}

const unswept = ({ isWritable }: Store, { name }: Dataset): StoreError =>
  new StoreError(
    'unswept',
    `What the last reset of "${name}" has left behind is not swept yet${isWritable ? '' : ', and the store is read-only'}.`,
    isWritable ? 'Make room on the disk of the store, and try again.' : 'Mount it for writing once.',
  );
