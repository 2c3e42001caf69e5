/** A volume on a temporary directory, changed by paths, and its snapshots compared: for tests of what changes between states. */
import type { Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import type { FileSystem } from '../../src/filesystem/filesystem.js';
import type { AttributeChanges } from '../../src/filesystem/operations.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import type { Dataset } from '../../src/volume/dataset.js';
import { Datasets } from '../../src/volume/datasets.js';
import { compareStates, type DiffOptions } from '../../src/volume/diff.js';
import type { FileChange } from '../../src/volume/file-change.js';
import { PinnedTree } from '../../src/volume/pinned-tree.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

export const pattern = (seed: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * seed) >> 3));

/** A volume, with the calls that tests make on it by path. */
export class TreeByPath {
  readonly served: ServedVolume;
  #snapshots = 0;

  private constructor(served: ServedVolume) {
    this.served = served;
  }

  static async make(test: Test): Promise<TreeByPath> {
    return new TreeByPath(await ServedVolume.make(test, SMALL_GEOMETRY));
  }

  /** Of the store as it is open now. */
  get datasets(): Datasets {
    return new Datasets(this.served.store);
  }

  get filesystem(): FileSystem {
    return this.served.filesystem;
  }

  ino(path: string): Ino {
    return path.split('/').reduce((ino, name) => (name === '' ? ino : this.served.find(name, ino)), ROOT_INO as Ino);
  }

  place(path: string): [Ino, Buffer] {
    const at = path.lastIndexOf('/');
    return [this.ino(at < 0 ? '' : path.slice(0, at)), Buffer.from(path.slice(at + 1))];
  }

  directory(path: string): Ino {
    const out = new Attributes();
    this.filesystem.makeDirectory(...this.place(path), 0o755, CALLER, out);
    return out.ino;
  }

  file(path: string, content: Uint8Array): Ino {
    const [parent, name] = this.place(path);
    return this.served.makeFile(name.toString(), content, parent);
  }

  symlink(path: string, target: string): void {
    this.filesystem.makeSymlink(...this.place(path), Buffer.from(target), CALLER, new Attributes());
  }

  link(path: string, newPath: string): void {
    this.filesystem.link(this.ino(path), ...this.place(newPath), CALLER, new Attributes());
  }

  write(path: string, position: number, content: Uint8Array): void {
    this.filesystem.write(this.ino(path), position, content.length, content, 0, false, CALLER);
  }

  set(path: string, changes: AttributeChanges): void {
    this.filesystem.setAttributes(this.ino(path), changes, CALLER, new Attributes());
  }

  rename(path: string, newPath: string, flags = 0): void {
    const [toParent, toName] = this.place(newPath);
    const replaced = this.exists(newPath) ? this.ino(newPath) : undefined;
    this.filesystem.rename(...this.place(path), toParent, toName, flags, CALLER);
    if (replaced !== undefined) this.filesystem.forget(replaced);
  }

  exists(path: string): boolean {
    try {
      this.ino(path);
      return true;
    } catch {
      return false;
    }
  }

  remove(path: string): void {
    const [parent, name] = this.place(path);
    this.served.remove(name.toString(), parent);
  }

  removeDirectory(path: string): void {
    const ino = this.ino(path);
    this.filesystem.removeDirectory(...this.place(path), CALLER);
    this.filesystem.forget(ino);
  }

  snapshot(): Promise<Dataset> {
    return this.datasets.createSnapshot('main', `s${++this.#snapshots}`);
  }

  async diff(before: Dataset, after = this.datasets.volume('main'), options: DiffOptions = {}): Promise<FileChange[]> {
    const { store } = this.served;
    const [a, b] = [new PinnedTree(store, before), new PinnedTree(store, after)];
    const changes: FileChange[] = [];
    try {
      for await (const change of compareStates(a, b, options)) changes.push(change);
    } finally {
      a.release();
      b.release();
    }
    return changes;
  }
}
