/**
 * Whether a recovered volume shows something that the contract allows.
 *
 * - After the death of the process: everything that had returned, and the step in flight wholly or not at all.
 * - After a loss of power: the metadata of a prefix of the steps, at least of those that are durable. The data of small files belongs
 *   to the metadata. The data of blobs is exact as of the last sync; each sector that was written since is old or new, perhaps only up
 *   to where the file used to end, and the size lies between. A file that was renamed shows what it held then, or what was written
 *   to it later.
 */
import type { ModelInode, State } from './model-state.js';
import { type DatedChange, type Past, type Promises, Violation } from './promises.js';

const SECTOR_BYTES = 512;

export type CrashKind = 'process death' | 'power loss';

/** Returns how many steps the recovered state shows. Throws Violation. */
export function checkRecovered(recovered: State, past: Past, promises: Promises, kind: CrashKind): number {
  const first = kind === 'process death' ? promises.returned : promises.durable;
  const problems: string[] = [];
  for (let prefix = promises.issued; prefix >= first; prefix--) {
    if (past.states[prefix].skeleton !== recovered.skeleton) continue;
    const problem = dataProblem(recovered, past, promises, kind, prefix);
    if (problem === undefined) return prefix;
    problems.push(problem);
  }
  if (problems.length > 0) throw new Violation(problems.join('; '));
  const earlier = past.states.findLastIndex(({ skeleton }) => skeleton === recovered.skeleton);
  const shows = earlier < 0 ? `no prefix of the history:\n${recovered.skeleton}` : `only the first ${earlier} steps`;
  throw new Violation(`${first} of ${promises.issued} steps must be there, but the volume shows ${shows}`);
}

function dataProblem(
  recovered: State,
  past: Past,
  promises: Promises,
  kind: CrashKind,
  prefix: number,
): string | undefined {
  const expected = past.states[prefix];
  for (const [name, snapshot] of [...expected.snapshots, ...expected.clones]) {
    const problem = snapshotProblem(recovered.snapshots.get(name) ?? recovered.clones.get(name), snapshot);
    if (problem !== undefined) return `${name} after ${prefix} steps: ${problem}`;
  }
  for (const { path, inode } of past.states[prefix].files()) {
    const shown = recovered.get(inode.ino);
    if (shown.content.equals(inode.content)) continue;
    const history = new FileHistory(inode, past, promises, prefix);
    const problem = kind === 'process death' ? history.exactProblem(shown) : history.lossProblem(shown);
    if (problem !== undefined) return `${path} (inode ${inode.ino}) after ${prefix} steps: ${problem}`;
  }
  return undefined;
}

/** A snapshot that is there is exact, and so is a clone, whose large files nobody has changed. */
export function snapshotProblem(shown: State | undefined, expected: State): string | undefined {
  for (const { path, inode } of expected.files()) {
    const content = shown?.inodes.get(inode.ino)?.content ?? Buffer.alloc(0);
    if (!content.equals(inode.content))
      return `${path} (inode ${inode.ino}): ${describeDifference(content, inode.content)}`;
  }
  return undefined;
}

/** What may be left of one file's data. */
class FileHistory {
  readonly #inode: ModelInode;
  readonly #past: Past;
  readonly #promises: Promises;
  readonly #prefix: number;
  readonly #changes: readonly DatedChange[];

  constructor(inode: ModelInode, past: Past, promises: Promises, prefix: number) {
    this.#inode = inode;
    this.#past = past;
    this.#promises = promises;
    this.#prefix = prefix;
    this.#changes = past.changes.get(inode.ino) ?? [];
  }

  #content(index: number): Buffer {
    return this.#past.states[index].inodes.get(this.#inode.ino)?.content ?? Buffer.alloc(0);
  }

  /** Differences are those of the step in flight. */
  exactProblem(shown: ModelInode): string | undefined {
    const contents = [this.#content(this.#promises.returned), this.#content(this.#promises.issued)];
    if (!contents.some(({ length }) => length === shown.content.length)) return `${shown.content.length} bytes`;
    return sectorProblem(shown.content, () => contents);
  }

  lossProblem(shown: ModelInode): string | undefined {
    if (!this.#inode.isBlob) return this.#smallProblem(shown);
    const floor = this.#exactAsOf();
    const since = this.#changes.filter(({ index }) => index > floor && index <= this.#prefix);
    const later = this.#changes.filter(({ index }) => index > this.#prefix && index <= this.#promises.issued);
    const sizes = [floor, ...since.map(({ index }) => index)].map((index) => this.#content(index).length);
    const blobEnds = this.#blobEnds(floor);
    const [least, most] = [Math.min(...sizes), this.#inode.content.length];
    const { length } = shown.content;
    if (length < least || length > most) return `${length} bytes, neither ${least} nor ${most} nor between`;
    return sectorProblem(shown.content, (start) => {
      const isCut = ({ change }: DatedChange): boolean => change.kind === 'cut' && change.size <= start;
      const from = since.findLast(isCut)?.index ?? floor;
      const isWrite = ({ change }: DatedChange): boolean =>
        change.kind === 'write' && change.from < start + SECTOR_BYTES && change.to > start;
      const indices = [
        from,
        ...since.map(({ index }) => index).filter((index) => index > from),
        ...later.filter(isWrite).map(({ index }) => index),
      ];
      const ends = [...sizes, ...blobEnds].filter((end) => end > start && end < start + SECTOR_BYTES);
      return indices
        .map((index) => this.#content(index))
        .flatMap((content) => [content, ...ends.map((end) => content.subarray(0, end))]);
    });
  }

  /** A small file is as it was; unless the write in flight has given it a blob, and may be there in part. */
  #smallProblem(shown: ModelInode): string | undefined {
    const { content } = this.#inode;
    if (!shown.isBlob || shown.content.length !== content.length) return describeDifference(shown.content, content);
    const later = this.#changes.filter(({ index, change }) => index > this.#prefix && change.kind === 'write');
    return sectorProblem(shown.content, () => [content, ...later.map(({ index }) => this.#content(index))]);
  }

  /**
   * Where the file's blob, which may be shorter than the file, may end: at the end of what was written, as far as the blob did not reach
   * further at the last sync. What was written beyond may be missing, and then reads as zeros.
   */
  #blobEnds(floor: number): number[] {
    const ends = this.#changes.flatMap(({ index, change }) =>
      change.kind === 'write' && index <= this.#promises.issued ? [{ index, end: change.to }] : [],
    );
    const durable = Math.max(0, ...ends.filter(({ index }) => index <= floor).map(({ end }) => end));
    // At the last sync it may have ended with the data, before zeros that were never written.
    const dataEnd = this.#content(floor).findLastIndex((byte) => byte !== 0) + 1;
    return [dataEnd, ...ends.map(({ end }) => end).filter((end) => end >= durable)];
  }

  /** The step as of which the file's data is exact: of the last sync, or of the last change that brings its data along. */
  #exactAsOf(): number {
    const { dataDurable, fileDurable } = this.#promises;
    let floor = Math.max(dataDurable, fileDurable.get(this.#inode.ino) ?? 0);
    for (const { index, change } of this.#changes) {
      if (index > this.#prefix) break;
      if (change.kind === 'promote') floor = Math.max(floor, index - 1);
      if (change.kind === 'rename' || change.kind === 'barrier') floor = Math.max(floor, index);
    }
    return floor;
  }
}

/** The first sector that is none of its candidates, which are zeros beyond their ends. */
function sectorProblem(shown: Buffer, candidates: (start: number) => readonly Buffer[]): string | undefined {
  for (let start = 0; start < shown.length; start += SECTOR_BYTES) {
    const sector = shown.subarray(start, Math.min(start + SECTOR_BYTES, shown.length));
    const isSame = (content: Buffer): boolean => {
      const expected = Buffer.alloc(sector.length);
      if (start < content.length) content.copy(expected, 0, start, Math.min(start + sector.length, content.length));
      return expected.equals(sector);
    };
    const contents = candidates(start);
    if (contents.some(isSame)) continue;
    const expected = contents.map((content) => JSON.stringify(text(content.subarray(start, start + 12)))).join(' or ');
    return `byte ${start} begins with ${JSON.stringify(text(sector.subarray(0, 12)))} in place of ${expected}`;
  }
  return undefined;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function describeDifference(shown: Buffer, expected: Buffer): string {
  if (shown.length !== expected.length) return `${shown.length} bytes in place of ${expected.length}`;
  return sectorProblem(shown, () => [expected]) ?? 'differs';
}
