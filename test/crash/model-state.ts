/**
 * States of the model: what a volume shows, and each of its snapshots. They are never changed once made.
 */
import { ROOT_INO } from '../../src/store/units.js';

export interface ModelInode {
  readonly ino: number;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly nlink: number;
  readonly mtime: number;
  readonly ctime: number;
  readonly xattrs: ReadonlyMap<string, string>;
  /** Of a file. */
  readonly content: Buffer;
  /** Whether a file's data is in a blob of its own, whose unsynced data a loss of power may take. */
  readonly isBlob: boolean;
  /** Of a symlink. */
  readonly target: string;
  /** Of a directory. */
  readonly entries: ReadonlyMap<string, number>;
}

/** What a refused step throws: the errno's name. */
export class Refusal extends Error {}

export class State {
  readonly inodes: ReadonlyMap<number, ModelInode>;
  /** What each snapshot shows, and each clone. */
  readonly snapshots: ReadonlyMap<string, State>;
  readonly clones: ReadonlyMap<string, State>;
  #skeleton: string | undefined;

  constructor(
    inodes: ReadonlyMap<number, ModelInode>,
    snapshots: ReadonlyMap<string, State> = new Map(),
    clones: ReadonlyMap<string, State> = new Map(),
  ) {
    this.inodes = inodes;
    this.snapshots = snapshots;
    this.clones = clones;
  }

  /** The same volume, snapshots and clones, but for those that are given. */
  with(change: Partial<Pick<State, 'inodes' | 'snapshots' | 'clones'>>): State {
    const { inodes, snapshots, clones } = {
      inodes: this.inodes,
      snapshots: this.snapshots,
      clones: this.clones,
      ...change,
    };
    return new State(inodes, snapshots, clones);
  }

  get(ino: number): ModelInode {
    const inode = this.inodes.get(ino);
    if (inode === undefined) throw new Error(`the model has no inode ${ino}`);
    return inode;
  }

  /** The inode at a path. Throws Refusal. */
  resolve(path: string): ModelInode {
    let inode = this.get(ROOT_INO);
    for (const name of path === '' ? [] : path.split('/')) {
      if (inode.type !== 'directory') throw new Refusal('ENOTDIR');
      const ino = inode.entries.get(name);
      if (ino === undefined) throw new Refusal('ENOENT');
      inode = this.get(ino);
    }
    return inode;
  }

  /** Everything but the data of files, as text: two states with the same skeleton have the same metadata. */
  get skeleton(): string {
    if (this.#skeleton === undefined) {
      const others = [...this.snapshots, ...this.clones].sort(([a], [b]) => (a < b ? -1 : 1));
      const shown = others.map(([name, { skeleton }]) => `${name}:\n${skeleton}`);
      this.#skeleton = [this.#describe(ROOT_INO, ''), ...shown].join('\n');
    }
    return this.#skeleton;
  }

  #describe(ino: number, path: string): string {
    const inode = this.get(ino);
    const xattrs = [...inode.xattrs].map(([name, value]) => `${name}=${value}`).sort();
    const words = [
      path || '/',
      ino,
      inode.type,
      inode.mode.toString(8),
      inode.nlink,
      inode.mtime,
      inode.ctime,
      inode.target,
    ];
    const children = [...inode.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      [...words, ...xattrs].join(' '),
      ...children.map(([name, child]) => this.#describe(child, `${path}/${name}`)),
    ].join('\n');
  }

  /** The files that have a name, each once. */
  *files(): Generator<{ readonly path: string; readonly inode: ModelInode }> {
    const seen = new Set<number>();
    const directories: { ino: number; path: string }[] = [{ ino: ROOT_INO, path: '' }];
    for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
      for (const [name, ino] of this.get(next.ino).entries) {
        const inode = this.get(ino);
        const path = next.path === '' ? name : `${next.path}/${name}`;
        if (inode.type === 'directory') directories.push({ ino, path });
        if (inode.type !== 'file' || seen.has(ino)) continue;
        seen.add(ino);
        yield { path, inode };
      }
    }
  }
}
