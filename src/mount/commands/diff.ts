/**
 * Compares two states of volumes. The changes are written as they are found, one JSON object (`ChangeReport`) a line.
 */
import { FileSystem } from '../../filesystem/filesystem.js';
import { compareStates } from '../../volume/diff.js';
import type { Aspect, ChangeType, FileChange, FileSummary } from '../../volume/file-change.js';
import { isDirectory, isRegular, isSymlink, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from '../../volume/mode.js';
import { PinnedTree } from '../../volume/pinned-tree.js';
import { flushed, stateNamed } from './states.js';
import type { StoreCommand } from './store-command.js';

export interface DiffArgs {
  readonly before: string;
  /** Undefined for what the earlier state's volume is now. */
  readonly after: string | undefined;
  /** Only what is at this path of the volume, and below it; undefined for everything. */
  readonly path: string | undefined;
  /** Files of text go with the changes to their data. */
  readonly texts: boolean;
}

export type FileTypeName = 'file' | 'directory' | 'symlink' | 'character device' | 'block device' | 'fifo' | 'socket';

export interface FileReport {
  readonly type: FileTypeName;
  readonly ino: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Bytes; 0 for a directory. */
  readonly size: number;
  /** Seconds since 1970, with nine decimals. */
  readonly mtime: string;
}

/** A name or path: text, and the bytes in base64 where they are not UTF-8. */
export interface PathReport {
  readonly text: string;
  readonly base64?: string;
}

export interface ChangeReport {
  readonly change: ChangeType;
  readonly path: PathReport;
  readonly pathBefore?: PathReport;
  readonly aspects: readonly Aspect[];
  readonly before: FileReport | undefined;
  readonly after: FileReport | undefined;
  /** The contents before and after, in base64, where they are asked for: null for what is not text, or too large. */
  readonly texts?: { readonly before: string | null; readonly after: string | null };
}

export interface DiffResult {
  /** Names of the two states. */
  readonly before: string;
  readonly after: string;
  readonly changes: number;
}

/** Larger files are not compared line by line. */
const TEXT_BYTES_MAX = 1024 * 1024;
/** A file with a zero in its first bytes is no text: the rule of git and diff. */
const TEXT_BYTES_LOOKED_AT = 8000;
const LINES_BYTES_AT_ONCE = 64 * 1024;

export const diffStates: StoreCommand<DiffArgs, DiffResult> = async (args, context) => {
  const { store, datasets, signal, write } = context;
  const earlier = stateNamed(args.before, context);
  const later =
    args.after === undefined ? store.state.catalog.require(earlier.volume) : stateNamed(args.after, context);
  await flushed(earlier, context);
  await flushed(later, context);
  const before = new PinnedTree(store, earlier);
  let after: PinnedTree | undefined;
  let changes = 0;
  let lines = '';
  try {
    after = new PinnedTree(store, later);
    const options = args.path === undefined ? {} : { path: Buffer.from(args.path.replace(/^\/+|\/+$/g, '')) };
    const texts = args.texts ? new Texts(before, after) : undefined;
    for await (const change of compareStates(before, after, options)) {
      signal.throwIfAborted();
      changes++;
      lines += `${JSON.stringify(await reportOf(change, texts))}\n`;
      if (lines.length < LINES_BYTES_AT_ONCE) continue;
      await write(Buffer.from(lines));
      lines = '';
    }
    if (lines !== '') await write(Buffer.from(lines));
  } finally {
    before.release();
    after?.release();
  }
  return { before: datasets.nameOf(earlier), after: datasets.nameOf(later), changes };
};

async function reportOf(change: FileChange, texts: Texts | undefined): Promise<ChangeReport> {
  const { type, path, pathBefore, aspects, before, after } = change;
  return {
    change: type,
    path: pathReport(path),
    ...(pathBefore === undefined ? {} : { pathBefore: pathReport(pathBefore) }),
    aspects,
    before: before === undefined ? undefined : fileReport(before),
    after: after === undefined ? undefined : fileReport(after),
    ...(texts === undefined ? {} : await texts.of(change)),
  };
}

function pathReport(bytes: Uint8Array): PathReport {
  const buffer = Buffer.from(bytes);
  const text = buffer.toString('utf8');
  return Buffer.from(text, 'utf8').equals(buffer) ? { text } : { text, base64: buffer.toString('base64') };
}

function fileReport({ ino, mode, uid, gid, links, size, mtimeSeconds, mtimeNanoseconds }: FileSummary): FileReport {
  const mtime = `${mtimeSeconds}.${String(mtimeNanoseconds).padStart(9, '0')}`;
  return { type: typeNameOf(mode), ino, mode: mode & 0o7777, uid, gid, links, size, mtime };
}

function typeNameOf(mode: number): FileTypeName {
  if (isDirectory(mode)) return 'directory';
  if (isSymlink(mode)) return 'symlink';
  switch (mode & S_IFMT) {
    case S_IFCHR:
      return 'character device';
    case S_IFBLK:
      return 'block device';
    case S_IFIFO:
      return 'fifo';
    case S_IFSOCK:
      return 'socket';
    default:
      return 'file';
  }
}

/** The contents of files that changed, for those who compare them line by line. */
class Texts {
  readonly #before: FileSystem;
  readonly #after: FileSystem;

  constructor(before: PinnedTree, after: PinnedTree) {
    this.#before = new FileSystem(before.volume, { atime: 'noatime' });
    this.#after = new FileSystem(after.volume, { atime: 'noatime' });
  }

  /** Nothing for changes that are not about the data of a regular file. */
  async of({ type, before, after, aspects }: FileChange): Promise<Pick<ChangeReport, 'texts'>> {
    const isAboutData = type === 'added' || type === 'removed' || type === 'retyped' || aspects.includes('data');
    const hasFile = [before, after].some((file) => file !== undefined && isRegular(file.mode));
    if (!isAboutData || !hasFile) return {};
    return { texts: { before: await text(this.#before, before), after: await text(this.#after, after) } };
  }
}

async function text(filesystem: FileSystem, file: FileSummary | undefined): Promise<string | null> {
  if (file === undefined || !isRegular(file.mode)) return '';
  if (file.size > TEXT_BYTES_MAX) return null;
  const bytes = Buffer.alloc(file.size);
  await filesystem.read(file.ino, 0, file.size, bytes, 0);
  return bytes.subarray(0, TEXT_BYTES_LOOKED_AT).includes(0) ? null : bytes.toString('base64');
}
