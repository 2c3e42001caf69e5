/**
 * Applies operations to a volume's state: the one place where its tree changes, for live operations and for the log's replay alike.
 *
 * What an item points to is released after the item's leaf has been made writable: a leaf that a snapshot has too is copied then, and
 * the copies' records are counted (leaf-records.ts).
 *
 * It relies on the operation being right for the state (filesystem/ has checked it, or it once was), on space being reserved, and,
 * for blobs, on the data having been written before. An exception here means damage: the volume must not go on.
 */
import { asAddress, type Ino } from '../../store/units.js';
import { Inode } from '../inode.js';
import { KIND_INODE, KIND_SYMLINK, readU64 } from '../items.js';
import type { FileOperation } from '../operation.js';
import { charge } from '../quota-groups.js';
import type { VolumeState } from '../state.js';
import { AttributeChanges } from './attributes.js';
import { DataChanges } from './data.js';
import { loadInode } from './load.js';
import { NameChanges } from './names.js';
import { QuotaChanges } from './quotas.js';
import { RemovedTrees } from './removed-trees.js';

/** More pages than any operation can take: a directory with two access control lists changes at most nine items. */
export const PAGES_PER_OPERATION = 176;

export class Applier {
  readonly #state: VolumeState;
  readonly #names: NameChanges;
  readonly #attributes: AttributeChanges;
  readonly #data: DataChanges;
  readonly #quotas: QuotaChanges;
  readonly removedTrees: RemovedTrees;
  readonly #inode = new Inode();

  constructor(state: VolumeState) {
    this.#state = state;
    this.#names = new NameChanges(state);
    this.#attributes = new AttributeChanges(state);
    this.#data = new DataChanges(state);
    this.#quotas = new QuotaChanges(state);
    this.removedTrees = new RemovedTrees(state, (ino) => this.reclaim(ino));
  }

  apply(operation: FileOperation): void {
    switch (operation.type) {
      case 'make':
        this.#names.make(operation);
        for (const { name, value } of operation.xattrs) this.#attributes.addXattr(operation.ino, name, value);
        break;
      case 'link':
        this.#names.link(operation);
        break;
      case 'unlink':
        this.#names.unlink(operation);
        break;
      case 'rename':
        if (operation.exchange) this.#names.exchange(operation);
        else this.#names.rename(operation);
        break;
      case 'setAttributes':
        this.#attributes.setAttributes(operation);
        break;
      case 'setXattr':
        this.#attributes.setXattr(operation);
        break;
      case 'removeXattr':
        this.#attributes.removeXattr(operation);
        break;
      case 'resize':
        this.#data.resize(operation);
        break;
      case 'writeSmall':
        this.#data.writeSmall(operation);
        break;
      case 'writeBlob':
        this.#data.writeBlob(operation);
        break;
      case 'promote':
        this.#data.promote(operation);
        break;
      case 'branchBlob':
        this.#data.branchBlob(operation);
        break;
      case 'takeChunks':
        this.#data.takeChunks(operation);
        break;
      case 'setQuota':
        this.#quotas.set(operation);
        break;
      case 'removeQuota':
        this.#quotas.remove(operation);
        break;
    }
  }

  /**
   * Removes an orphan for good: its record, its extended attributes and its data. This is not logged: whoever replays the log
   * finds the orphan again, and that nobody uses it.
   */
  reclaim(ino: Ino): void {
    const { tree, strings, orphans, dataset } = this.#state;
    const inode = loadInode(this.#state, this.#inode, ino);
    if (inode.xattrs > 0) this.#attributes.removeAllXattrs(ino);
    if (tree.modify(ino, KIND_SYMLINK, 0)) {
      strings.release(asAddress(readU64(tree.words, tree.valueWord)));
      tree.remove(ino, KIND_SYMLINK, 0);
    }
    this.#data.removeAll(inode);
    tree.remove(ino, KIND_INODE, 0);
    orphans.delete(ino);
    dataset.inodes--;
    charge(tree, inode.quotaGroup, 0, -1);
  }
}
