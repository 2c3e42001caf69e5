/**
 * A filesystem small enough to be right: what each step of a history must do, as states that are never changed once made.
 *
 * Files are named by paths from the root (`a`, `d/b`). Every step happens at a time of its own, so that the times of inodes tell
 * which prefix of a history a recovered volume shows.
 */
import { SMALL_FILE_BYTES_MAX } from '../../src/blobs/packs.js';
import { type ModelInode, Refusal, State } from './model-state.js';

/** One step. Those that change nothing visible (`fsync`, `commit`, …) are the session's business, not the model's. */
export type Step =
  | { readonly op: 'create' | 'mkdir' | 'symlink' | 'unlink' | 'rmdir' | 'fsync'; readonly path: string }
  | { readonly op: 'link' | 'rename' | 'exchange'; readonly path: string; readonly to: string }
  /** `writeBack`: a write by the kernel's writeback cache, which leaves the times if only the content was changed since they moved. */
  | { readonly op: 'write' | 'writeBack'; readonly path: string; readonly at: number; readonly length: number }
  | { readonly op: 'punch' | 'allocate'; readonly path: string; readonly at: number; readonly length: number }
  | { readonly op: 'truncate'; readonly path: string; readonly size: number }
  | { readonly op: 'setxattr'; readonly path: string; readonly length: number }
  | { readonly op: 'removexattr' | 'chmod'; readonly path: string }
  /** Syncs and checkpoints that are begun and not waited for; a pending disk sync that completes; forgotten orphans. */
  | { readonly op: 'startFsync'; readonly path: string }
  | { readonly op: 'commit' | 'checkpoint' | 'startCommit' | 'startCheckpoint' | 'forget' }
  | { readonly op: 'complete'; readonly index: number }
  /** A snapshot, waited for or not; one that goes; the state of one comes back, with the present one kept as `keep` or given up. */
  | { readonly op: 'snapshot' | 'startSnapshot' | 'destroy'; readonly name: string }
  | { readonly op: 'rollback'; readonly name: string; readonly keep?: string }
  /** A rollback that leaves what is at a path as it is, or that is of what is at that path alone. */
  | { readonly op: 'reset' | 'restore'; readonly name: string; readonly path: string; readonly keep: string }
  /** A clone of a snapshot; one that goes; and a step in one, on names and small files only. */
  | { readonly op: 'clone'; readonly name: string; readonly volume: string }
  | { readonly op: 'destroyClone'; readonly volume: string }
  | { readonly op: 'within'; readonly volume: string; readonly step: Step }
  /** Destroyed trees are given up. */
  | { readonly op: 'reap' }
  /** The volume is left and opened again: properly, after the death of the process, or after a loss of power. */
  | { readonly op: 'remount' | 'kill' }
  | { readonly op: 'power'; readonly seed: number };

/** Bytes of a file that a step wrote (or zeroed), or the size that it cut the file to, or grew to without data. */
export type DataChange =
  | { readonly kind: 'write'; readonly from: number; readonly to: number }
  | { readonly kind: 'cut'; readonly size: number }
  | { readonly kind: 'promote' }
  | { readonly kind: 'rename' }
  /** Nothing that comes after it counts before all data written before it is durable. */
  | { readonly kind: 'barrier' };

export interface Outcome {
  readonly state: State;
  /** What happened to the data of files, by inode. */
  readonly data: ReadonlyMap<number, readonly DataChange[]>;
}

/** The refusal of a step that the model has nothing to say about: it is left out. */
export const SKIPPED = 'skipped';
export const XATTR_NAME = 'user.x';

/** Bytes that say which inode and step they belong to. */
export function payload(ino: number, step: number, length: number): Buffer {
  const text = `<${ino}:${step}>`;
  return Buffer.alloc(length, text);
}

const parentPath = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
const lastName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** A state being made from another. */
class Draft {
  readonly inodes: Map<number, ModelInode>;
  readonly data = new Map<number, DataChange[]>();
  readonly #base: State;
  readonly #time: number;

  constructor(base: State, time: number) {
    this.#base = base;
    this.inodes = new Map(base.inodes);
    this.#time = time;
  }

  parent(path: string): ModelInode {
    const parent = this.#base.resolve(parentPath(path));
    if (parent.type !== 'directory') throw new Refusal('ENOTDIR');
    return parent;
  }

  get(ino: number): ModelInode {
    return this.inodes.get(ino)!;
  }

  change(ino: number, change: Partial<ModelInode>): void {
    this.inodes.set(ino, { ...this.get(ino), ctime: this.#time, ...change });
  }

  note(ino: number, change: DataChange): void {
    this.data.set(ino, [...(this.data.get(ino) ?? []), change]);
  }

  setEntry(parent: number, name: string, ino: number | undefined, links: number): void {
    const directory = this.get(parent);
    const entries = new Map(directory.entries);
    if (ino === undefined) entries.delete(name);
    else entries.set(name, ino);
    this.change(parent, { entries, mtime: this.#time, nlink: directory.nlink + links });
  }

  make(path: string, ino: number, type: ModelInode['type'], mode: number, target: string): void {
    const parent = this.parent(path);
    if (parent.entries.has(lastName(path))) throw new Refusal('EEXIST');
    const isDirectory = type === 'directory';
    this.inodes.set(ino, {
      ino,
      type,
      mode,
      nlink: isDirectory ? 2 : 1,
      mtime: this.#time,
      ctime: this.#time,
      xattrs: new Map(),
      content: Buffer.alloc(0),
      isBlob: false,
      target,
      entries: new Map(),
    });
    this.setEntry(parent.ino, lastName(path), ino, isDirectory ? 1 : 0);
  }

  dropLink(ino: number): void {
    const inode = this.get(ino);
    this.change(ino, { nlink: inode.type === 'directory' ? 0 : inode.nlink - 1 });
  }

  file(path: string): ModelInode {
    const inode = this.#base.resolve(path);
    if (inode.type === 'directory') throw new Refusal('EISDIR');
    if (inode.type !== 'file') throw new Refusal('EINVAL');
    return inode;
  }

  allocatable(path: string): ModelInode {
    const inode = this.#base.resolve(path);
    if (inode.type !== 'file') throw new Refusal('ENODEV');
    return inode;
  }

  write({ op, path, at, length }: Extract<Step, { op: 'write' | 'writeBack' }>, index: number): void {
    const inode = this.file(path);
    const end = at + length;
    const content = Buffer.alloc(Math.max(inode.content.length, end));
    inode.content.copy(content);
    payload(inode.ino, index, length).copy(content, at);
    const time = op === 'writeBack' && inode.mtime === inode.ctime ? inode.mtime : this.#time;
    const isBlob = inode.isBlob || end > SMALL_FILE_BYTES_MAX;
    if (isBlob && !inode.isBlob) this.note(inode.ino, { kind: 'promote' });
    this.note(inode.ino, { kind: 'write', from: at, to: end });
    this.change(inode.ino, { content, isBlob, mtime: time, ctime: time });
  }
}

/**
 * The state after a step, at a time (seconds). `ino` is the number of the inode that it makes, if it makes one; `index` marks
 * the bytes that it writes. Throws Refusal with the errno's name.
 */
export function applyStep(base: State, step: Step, index: number, ino: number, time: number): Outcome {
  const draft = new Draft(base, time);
  switch (step.op) {
    case 'create':
      draft.make(step.path, ino, 'file', 0o100644, '');
      break;
    case 'mkdir':
      draft.make(step.path, ino, 'directory', 0o040755, '');
      break;
    case 'symlink':
      draft.make(step.path, ino, 'symlink', 0o120777, `to ${step.path}`);
      break;
    case 'link': {
      const inode = base.resolve(step.path);
      if (inode.type === 'directory') throw new Refusal('EPERM');
      const parent = draft.parent(step.to);
      if (parent.entries.has(lastName(step.to))) throw new Refusal('EEXIST');
      draft.change(inode.ino, { nlink: inode.nlink + 1 });
      draft.setEntry(parent.ino, lastName(step.to), inode.ino, 0);
      break;
    }
    case 'unlink': {
      const inode = base.resolve(step.path);
      if (inode.type === 'directory') throw new Refusal('EISDIR');
      draft.setEntry(draft.parent(step.path).ino, lastName(step.path), undefined, 0);
      draft.dropLink(inode.ino);
      break;
    }
    case 'rmdir': {
      const inode = base.resolve(step.path);
      if (inode.type !== 'directory') throw new Refusal('ENOTDIR');
      if (inode.entries.size > 0) throw new Refusal('ENOTEMPTY');
      draft.setEntry(draft.parent(step.path).ino, lastName(step.path), undefined, -1);
      draft.dropLink(inode.ino);
      break;
    }
    case 'rename':
      rename(draft, base, step.path, step.to);
      break;
    case 'exchange':
      exchange(draft, base, step.path, step.to);
      break;
    case 'write':
    case 'writeBack':
      draft.write(step, index);
      break;
    case 'truncate': {
      const inode = draft.file(step.path);
      // Whether the times move then is the transport's business: truncate(2) and open(2) with O_TRUNC differ.
      if (inode.content.length === step.size) throw new Refusal(SKIPPED);
      const content = Buffer.alloc(step.size);
      inode.content.copy(content, 0, 0, Math.min(step.size, inode.content.length));
      draft.note(inode.ino, { kind: 'cut', size: step.size });
      draft.change(inode.ino, { content, isBlob: inode.isBlob && step.size > 0, mtime: time });
      break;
    }
    case 'punch': {
      const inode = draft.allocatable(step.path);
      const end = Math.min(step.at + step.length, inode.content.length);
      // What a hole does to the times of a small file depends on where its data ends, which is nobody's business.
      if (!inode.isBlob || step.at >= end) throw new Refusal(SKIPPED);
      const content = Buffer.from(inode.content);
      content.fill(0, step.at, end);
      draft.note(inode.ino, { kind: 'write', from: step.at, to: end });
      draft.change(inode.ino, { content, mtime: time });
      break;
    }
    case 'allocate': {
      const inode = draft.allocatable(step.path);
      const content = Buffer.alloc(Math.max(inode.content.length, step.at + step.length));
      inode.content.copy(content);
      if (!inode.isBlob) draft.note(inode.ino, { kind: 'promote' });
      draft.note(inode.ino, { kind: 'cut', size: content.length });
      draft.change(inode.ino, { content, isBlob: true, mtime: time });
      break;
    }
    case 'setxattr': {
      const inode = base.resolve(step.path);
      const value = payload(inode.ino, index, step.length).toString('latin1');
      draft.change(inode.ino, { xattrs: new Map([[XATTR_NAME, value]]) });
      break;
    }
    case 'removexattr': {
      const inode = base.resolve(step.path);
      if (!inode.xattrs.has(XATTR_NAME)) throw new Refusal('ENODATA');
      draft.change(inode.ino, { xattrs: new Map() });
      break;
    }
    case 'chmod': {
      const inode = base.resolve(step.path);
      draft.change(inode.ino, { mode: (inode.mode & ~0o777) | (index % 0o777) });
      break;
    }
    case 'fsync':
    case 'startFsync':
      base.resolve(step.path);
      return { state: base, data: draft.data };
    case 'snapshot':
    case 'startSnapshot':
    case 'destroy':
    case 'rollback':
      return applyToSnapshots(base, step);
    case 'reset':
    case 'restore':
      // What it leads to is read from the volume afterwards; the model knows when it is refused.
      if (!base.snapshots.has(step.name)) throw new Refusal('no-such-snapshot');
      if (base.snapshots.has(step.keep)) throw new Refusal('exists');
      return withBarrier(base, base);
    case 'clone':
    case 'destroyClone':
    case 'within':
      return applyToClones(base, step, index, ino, time);
    case 'reap':
    case 'commit':
    case 'checkpoint':
    case 'startCommit':
    case 'startCheckpoint':
    case 'forget':
    case 'complete':
    case 'remount':
    case 'kill':
    case 'power':
      return { state: base, data: draft.data };
  }
  return { state: base.with({ inodes: draft.inodes }), data: draft.data };
}

type SnapshotStep = Exclude<
  Extract<Step, { readonly name: string }>,
  { readonly path: string } | { readonly volume: string }
>;

function applyToSnapshots(base: State, step: SnapshotStep): Outcome {
  const snapshots = new Map(base.snapshots);
  const present = new State(base.inodes);
  const named = snapshots.get(step.name);
  if (step.op === 'snapshot' || step.op === 'startSnapshot') {
    if (named !== undefined) throw new Refusal('exists');
    snapshots.set(step.name, present);
    return withBarrier(base, base.with({ snapshots }));
  }
  if (named === undefined) throw new Refusal('no-such-snapshot');
  if (step.op === 'destroy') {
    snapshots.delete(step.name);
    return { state: base.with({ snapshots }), data: new Map() };
  }
  if (step.op === 'rollback' && step.keep !== undefined) {
    if (snapshots.has(step.keep)) throw new Refusal('exists');
    snapshots.set(step.keep, present);
  }
  return withBarrier(base, base.with({ inodes: named.inodes, snapshots }));
}

type CloneStep = Extract<Step, { readonly volume: string }>;

/** Steps whose outcome does not depend on what of a blob's data is durable. */
const EXACT_STEPS: ReadonlySet<Step['op']> = new Set([
  'create',
  'mkdir',
  'unlink',
  'rmdir',
  'rename',
  'link',
  'write',
  'setxattr',
  'chmod',
]);

function applyToClones(base: State, step: CloneStep, index: number, ino: number, time: number): Outcome {
  const clones = new Map(base.clones);
  const clone = clones.get(step.volume);
  if (step.op === 'clone') {
    const snapshot = base.snapshots.get(step.name);
    if (snapshot === undefined) throw new Refusal('no-such-snapshot');
    if (clone !== undefined) throw new Refusal('exists');
    clones.set(step.volume, snapshot);
    return withBarrier(base, base.with({ clones }));
  }
  if (clone === undefined) throw new Refusal('no-such-volume');
  if (step.op === 'destroyClone') {
    clones.delete(step.volume);
  } else {
    if (!EXACT_STEPS.has(step.step.op)) throw new Refusal(SKIPPED);
    const { state, data } = applyStep(clone, step.step, index, ino, time);
    const touchesBlob = [...data.keys()].some((changed) => state.inodes.get(changed)?.isBlob === true);
    if (step.step.op === 'write' && touchesBlob) throw new Refusal(SKIPPED);
    clones.set(step.volume, state);
  }
  return { state: base.with({ clones }), data: new Map() };
}

/** The outcome of a step that counts only when all data before it is durable. */
function withBarrier(before: State, state: State): Outcome {
  const inodes = new Set([...before.inodes.keys(), ...state.inodes.keys()]);
  return { state, data: new Map([...inodes].map((ino) => [ino, [{ kind: 'barrier' }]])) };
}

function checkNoCycle(base: State, moved: number, to: string): void {
  for (let path = parentPath(to); ; path = parentPath(path)) {
    if (base.resolve(path).ino === moved) throw new Refusal('EINVAL');
    if (path === '') return;
  }
}

function rename(draft: Draft, base: State, from: string, to: string): void {
  const parent = draft.parent(from);
  const toParent = draft.parent(to);
  const moved = base.resolve(from);
  if (moved.type === 'directory') checkNoCycle(base, moved.ino, to);
  const replacedIno = toParent.entries.get(lastName(to));
  if (replacedIno === moved.ino) return;
  const isDirectory = moved.type === 'directory';
  if (replacedIno !== undefined) {
    const replaced = base.get(replacedIno);
    if (isDirectory && replaced.type !== 'directory') throw new Refusal('ENOTDIR');
    if (!isDirectory && replaced.type === 'directory') throw new Refusal('EISDIR');
    if (replaced.entries.size > 0) throw new Refusal('ENOTEMPTY');
    draft.dropLink(replacedIno);
  }
  draft.change(moved.ino, {});
  draft.setEntry(parent.ino, lastName(from), undefined, isDirectory ? -1 : 0);
  draft.setEntry(toParent.ino, lastName(to), moved.ino, isDirectory && replacedIno === undefined ? 1 : 0);
  if (moved.type === 'file') draft.note(moved.ino, { kind: 'rename' });
}

function exchange(draft: Draft, base: State, from: string, to: string): void {
  const [parent, toParent] = [draft.parent(from), draft.parent(to)];
  const [first, second] = [base.resolve(from), base.resolve(to)];
  if (first.type === 'directory') checkNoCycle(base, first.ino, to);
  if (second.ino === first.ino) return;
  if (second.type === 'directory') checkNoCycle(base, second.ino, from);
  const links = (first.type === 'directory' ? 1 : 0) - (second.type === 'directory' ? 1 : 0);
  const isSame = parent.ino === toParent.ino;
  draft.change(first.ino, {});
  draft.change(second.ino, {});
  draft.setEntry(parent.ino, lastName(from), second.ino, isSame ? 0 : -links);
  draft.setEntry(toParent.ino, lastName(to), first.ino, isSame ? 0 : links);
  for (const moved of [first, second]) if (moved.type === 'file') draft.note(moved.ino, { kind: 'rename' });
}
