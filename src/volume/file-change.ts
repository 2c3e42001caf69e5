/**
 * What a comparison of two states of a volume reports (diff.ts), and how two states of one file are compared.
 *
 * A file is modified when its bytes, its permissions, its owner, its group, its mtime or its extended attributes differ. A rewrite
 * with the same bytes shows as another mtime, if it has one. Reading (atime) and what goes with any change (ctime, links) do not
 * count. Neither does the mtime of a directory: it says that entries came or went, and those are reported.
 */
import { asAddress, type Ino } from '../store/units.js';
import { isDataDifferent } from './diff-data.js';
import type { Inode } from './inode.js';
import { KIND_SYMLINK, KIND_XATTR, readU64 } from './items.js';
import { isDirectory, isRegular, isSymlink, S_IFMT } from './mode.js';
import type { VolumeState } from './state.js';

/** What can differ in a file that is in both states. `data`: bytes, a symlink's target, a device's number. */
export type Aspect = 'data' | 'mode' | 'owner' | 'group' | 'mtime' | 'xattrs';

/**
 * `retyped`: a file of another type has taken the place. `linked`, `unlinked`: a file that is in both states has got, or lost, one of
 * several names.
 */
export type ChangeType = 'added' | 'removed' | 'modified' | 'renamed' | 'retyped' | 'linked' | 'unlinked';

/** A file in one of the states. */
export interface FileSummary {
  readonly ino: Ino;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Bytes; 0 for a directory. */
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

export interface FileChange {
  readonly type: ChangeType;
  /** In the later state; of what is gone, in the earlier one. Without a slash before it; empty for the root. */
  readonly path: Uint8Array;
  /** In the earlier state, where that differs. */
  readonly pathBefore: Uint8Array | undefined;
  readonly before: FileSummary | undefined;
  readonly after: FileSummary | undefined;
  /** What differs in a file that is in both states. */
  readonly aspects: readonly Aspect[];
}

export function summaryOf(inode: Inode): FileSummary {
  const { ino, mode, uid, gid, nlink, size, mtimeSeconds, mtimeNanoseconds } = inode;
  return {
    ino,
    mode,
    uid,
    gid,
    links: nlink,
    size: isDirectory(mode) ? 0 : size,
    mtimeSeconds,
    mtimeNanoseconds,
  };
}

export const isSameType = (a: Inode, b: Inode): boolean => (a.mode & S_IFMT) === (b.mode & S_IFMT);

/** A file in both states; the inodes may have different numbers. */
export interface FilePair {
  readonly before: { readonly state: VolumeState; readonly inode: Inode };
  readonly after: { readonly state: VolumeState; readonly inode: Inode };
}

/** What differs; `data` and `xattrs` say whether those are to be looked at. The types must be the same. */
export async function compareFiles(pair: FilePair, data: boolean, xattrs: boolean): Promise<Aspect[]> {
  const { inode: a } = pair.before;
  const { inode: b } = pair.after;
  const aspects: Aspect[] = [];
  if (a.rdev !== b.rdev || (data && (await isContentDifferent(pair)))) aspects.push('data');
  if (a.mode !== b.mode) aspects.push('mode');
  if (a.uid !== b.uid) aspects.push('owner');
  if (a.gid !== b.gid) aspects.push('group');
  const isTimeSame = a.mtimeSeconds === b.mtimeSeconds && a.mtimeNanoseconds === b.mtimeNanoseconds;
  if (!isTimeSame && !isDirectory(a.mode)) aspects.push('mtime');
  if (xattrs && areXattrsDifferent(pair)) aspects.push('xattrs');
  return aspects;
}

async function isContentDifferent(pair: FilePair): Promise<boolean> {
  const { mode } = pair.after.inode;
  if (isRegular(mode)) return isDataDifferent(pair.before, pair.after);
  if (!isSymlink(mode)) return false;
  const [a, b] = [pair.before, pair.after].map(({ state: { tree, strings }, inode }) =>
    tree.find(inode.ino, KIND_SYMLINK, 0) ? strings.get(asAddress(readU64(tree.words, tree.valueWord))) : undefined,
  );
  return a === undefined || b === undefined || Buffer.compare(a, b) !== 0;
}

function areXattrsDifferent({ before, after }: FilePair): boolean {
  const [a, b] = [xattrsOf(before.state, before.inode.ino), xattrsOf(after.state, after.inode.ino)];
  if (a.size !== b.size) return true;
  return [...a].some(([name, value]) => {
    const other = b.get(name);
    return other === undefined || Buffer.compare(value, other) !== 0;
  });
}

/** Values of extended attributes by their names, one character a byte. */
function xattrsOf({ tree, strings }: VolumeState, ino: Ino): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (let more = tree.seek(ino, KIND_XATTR, 0); more && tree.isAt(ino, KIND_XATTR); more = tree.next()) {
    const { words, valueWord: at } = tree;
    const name = Buffer.from(strings.get(asAddress(readU64(words, at)))).toString('latin1');
    found.set(name, strings.get(asAddress(readU64(words, at + 2))));
  }
  return found;
}
