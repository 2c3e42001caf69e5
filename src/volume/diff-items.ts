/**
 * From items that differ (tree/tree-diff.ts) to what they are about: entries of directories, and inodes.
 */
import { asAddress, asIno, type Ino } from '../store/units.js';
import type { ItemDifference } from '../tree/tree-diff.js';
import {
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_PART,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
} from './items.js';
import type { VolumeState } from './state.js';

/** A directory entry. */
export interface Entry {
  readonly ino: Ino;
  readonly name: Uint8Array;
}

/** An entry of a directory that came, went, or leads elsewhere. */
export interface EntryDifference {
  readonly type: 'entry';
  readonly directory: Ino;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/** An inode of which something differs besides its entries. */
export interface InodeDifference {
  readonly type: 'inode';
  readonly ino: Ino;
  /** There are differences in the items of its data, or of its extended attributes. */
  readonly data: boolean;
  readonly xattrs: boolean;
}

/** Orders differences by inode: the entries of a directory come before the inode itself. */
export function* differencesByInode(
  state: VolumeState,
  differences: Iterable<ItemDifference>,
): Generator<EntryDifference | InodeDifference, void, undefined> {
  let [ino, data, xattrs, isOpen] = [asIno(0), false, false, false];
  for (const { object, kind, before, after } of differences) {
    if (object === VOLUME_OBJECT) continue;
    if (object !== ino) {
      if (isOpen) yield { type: 'inode', ino, data, xattrs };
      [ino, data, xattrs, isOpen] = [asIno(object), false, false, false];
    }
    switch (kind) {
      case KIND_DIRENT: {
        const entries = { before: entryOf(state, before), after: entryOf(state, after) };
        if (!isSameEntry(entries.before, entries.after)) yield { type: 'entry', directory: ino, ...entries };
        break;
      }
      case KIND_XATTR:
        [xattrs, isOpen] = [true, true];
        break;
      case KIND_SYMLINK:
      case KIND_EXTENT:
      case KIND_PART:
        [data, isOpen] = [true, true];
        break;
      case KIND_INODE:
        isOpen = true;
        break;
      default:
      // Items that say how the volume keeps things, and are no part of its files.
    }
  }
  if (isOpen) yield { type: 'inode', ino, data, xattrs };
}

function entryOf({ strings }: VolumeState, value: Uint32Array | undefined): Entry | undefined {
  if (value === undefined) return undefined;
  return { ino: asIno(readU64(value, 0)), name: strings.get(asAddress(readU64(value, 2))) };
}

/** A name that was only moved within the string table is no difference. */
const isSameEntry = (before: Entry | undefined, after: Entry | undefined): boolean =>
  before !== undefined &&
  after !== undefined &&
  before.ino === after.ino &&
  Buffer.compare(before.name, after.name) === 0;
