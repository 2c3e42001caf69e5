/**
 * The directories `/.razorfs` and `/.razorfs/snapshots` of a mounted volume, which lead to its snapshots. They belong to no tree: what
 * they show is made up from the list of snapshots.
 *
 * `/.razorfs` is there for lookups but not listed, like `.zfs` and `.snapshot` elsewhere.
 */
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import { direntType, S_IFDIR } from '../volume/mode.js';
import type { Attributes } from './attributes.js';
import type { DirectoryVisitor } from './operations.js';
import { CONTROL_VIEW, INODES_MAX } from './views.js';

/** The node of `/.razorfs`. */
export const CONTROL_DIRECTORY = asIno(CONTROL_VIEW * INODES_MAX + 1);
/** The node of `/.razorfs/snapshots`. */
export const SNAPSHOTS_DIRECTORY = asIno(CONTROL_VIEW * INODES_MAX + 2);
/** The name of the first in the root directory. */
export const CONTROL_NAME = Buffer.from('.razorfs');

const SNAPSHOTS_NAME = Buffer.from('snapshots');
const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');
const DIRECTORY = direntType(S_IFDIR);

/** What the directories lead to. */
export interface ShownSnapshots {
  list(): readonly Dataset[];
  /** Fills `out` with the root of the volume. */
  fillRoot(out: Attributes): void;
  /** Fills `out` with the root of a snapshot. */
  fillSnapshot(snapshot: Dataset, out: Attributes): void;
  /** The node of the root of a snapshot. */
  nodeOfSnapshot(snapshot: Dataset): Ino;
}

export const isControlDirectory = (node: Ino): boolean => node === CONTROL_DIRECTORY || node === SNAPSHOTS_DIRECTORY;

export class ControlDirectories {
  readonly #shown: ShownSnapshots;

  constructor(shown: ShownSnapshots) {
    this.#shown = shown;
  }

  /** Fills `out` with one of the two directories. */
  fill(node: Ino, out: Attributes): void {
    this.#shown.fillRoot(out);
    out.ino = node;
    out.mode = S_IFDIR | 0o555;
    out.nlink = 2;
    out.uid = 0;
    out.gid = 0;
  }

  /** Fills `out` with what a name in one of the two leads to; false when there is no such name. */
  find(parent: Ino, name: Uint8Array, out: Attributes): boolean {
    const is = (other: Buffer): boolean => other.equals(name);
    if (is(DOT)) {
      this.fill(parent, out);
      return true;
    }
    if (is(DOT_DOT)) {
      if (parent === CONTROL_DIRECTORY) this.#shown.fillRoot(out);
      else this.fill(CONTROL_DIRECTORY, out);
      return true;
    }
    if (parent === CONTROL_DIRECTORY) {
      if (is(SNAPSHOTS_NAME)) this.fill(SNAPSHOTS_DIRECTORY, out);
      return is(SNAPSHOTS_NAME);
    }
    const snapshot = this.#shown.list().find((dataset) => is(Buffer.from(dataset.name)));
    if (snapshot !== undefined) this.#shown.fillSnapshot(snapshot, out);
    return snapshot !== undefined;
  }

  /** As `FileSystemOperations.readDirectory`. Cookies of snapshots are their numbers, which stay while others come and go. */
  read(node: Ino, cookie: number, visit: DirectoryVisitor): void {
    const parent = node === CONTROL_DIRECTORY ? ROOT_INO : CONTROL_DIRECTORY;
    const entries: [Uint8Array, Ino][] = [
      [DOT, node],
      [DOT_DOT, parent],
    ];
    if (node === CONTROL_DIRECTORY) entries.push([SNAPSHOTS_NAME, SNAPSHOTS_DIRECTORY]);
    for (const [index, [name, ino]] of entries.entries()) {
      if (index >= cookie && !visit(name, ino, DIRECTORY, index + 1)) return;
    }
    if (node === CONTROL_DIRECTORY) return;
    for (const snapshot of this.#shown.list()) {
      const position = entries.length + snapshot.id;
      if (position < cookie) continue;
      const root = this.#shown.nodeOfSnapshot(snapshot);
      if (!visit(Buffer.from(snapshot.name), root, DIRECTORY, position + 1)) return;
    }
  }
}
