/**
 * Blobs against inodes: the host file of each is there, it belongs to one inode in all trees, except those that were made from that
 * one (transplanted), and each host file belongs to a file.
 *
 * Relies on the blob paths of blobs/blob-store.ts. Remembers 8 bytes for each blob.
 */
import { BLOBS_DIRECTORY, blobPath } from '../blobs/blob-store.js';
import { DiskError } from '../store/disk.js';
import { asBlobId } from '../store/units.js';
import { BlobOwners } from './blob-owners.js';
import type { ErrorSink, Finding, Findings, ProgressListener } from './findings.js';
import type { RecordOwnerRule } from './item-rules.js';
import { pause } from './pause.js';
import type { RecordCensus } from './record-census.js';
import { SparseSet } from './sparse-set.js';
import type { StoreUnderCheck } from './store-under-check.js';

const UNREADABLE = 'unreadable';

/** Host files of blobs: their numbers, and files that are none. */
export function* listBlobs(
  store: StoreUnderCheck,
): Generator<{ readonly path: string; readonly blob: number | undefined }> {
  const { disk } = store;
  if (!disk.exists(BLOBS_DIRECTORY)) return;
  for (const directory of disk.list(BLOBS_DIRECTORY)) {
    let names: string[];
    try {
      names = disk.list(`${BLOBS_DIRECTORY}/${directory}`);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      yield { path: `${BLOBS_DIRECTORY}/${directory}`, blob: undefined };
      continue;
    }
    for (const name of names) {
      const path = `${BLOBS_DIRECTORY}/${directory}/${name}`;
      const blob = Number.parseInt(name, 16);
      yield { path, blob: blob > 0 && blobPath(asBlobId(blob)) === path ? blob : undefined };
    }
  }
}

/** The size of a blob's host file, or why it cannot be used. */
export function blobSize(store: StoreUnderCheck, blob: number): number | string {
  try {
    const file = store.disk.open(blobPath(asBlobId(blob)), 'read');
    try {
      const size = file.size();
      // A directory can be opened but not read.
      file.read(new Uint8Array(1), 0, 1, 0);
      return size;
    } finally {
      file.close();
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    switch (error.code) {
      case 'ENOENT':
        return 'missing';
      case 'EISDIR':
        return 'a directory';
      default:
        return `${UNREADABLE} (${error.code})`;
    }
  }
}

/** Who says that data of it is in a blob. */
export interface BlobUser {
  readonly ino: number;
  /** Of the file, bytes; Infinity for one that has only a part there. */
  readonly size: number;
  readonly owner: RecordOwnerRule;
}

export class BlobCheck {
  readonly #store: StoreUnderCheck;
  readonly #seen = new SparseSet();
  readonly owners = new BlobOwners();
  /** Blobs that cannot be used, and why. */
  readonly #problems = new Map<number, string>();
  #longer = 0;
  blobMax = 0;
  /** Reads that the host refused: its disk may be failing. */
  failures = 0;

  constructor(store: StoreUnderCheck) {
    this.#store = store;
  }

  /** A file says that its data, or a part of it, is in this blob. */
  check(blob: number, user: BlobUser, findings: ErrorSink, file: () => Pick<Finding, 'ino' | 'path'>): void {
    const where = `inode ${user.ino}`;
    if (blob === 0 || blob > Number.MAX_SAFE_INTEGER) {
      const problem = `its data is in blob ${blob}, which cannot be`;
      findings.error('blob-missing', where, problem, 'its data is lost', file());
      return;
    }
    if (this.#seen.add(blob)) this.#look(blob, user.size);
    const problem = this.#problems.get(blob);
    if (problem !== undefined) {
      const path = blobPath(asBlobId(blob));
      findings.error('blob-missing', where, `its blob ${path} is ${problem}`, 'its data is lost', file());
    }
    if (user.owner === 'transplanted') return;
    const other = this.owners.claim(blob, user.ino);
    if (other === user.ino) return;
    const effect = 'a change to one changes the other';
    const also = `belongs to inode ${user.ino}, and to inode ${other} as well`;
    findings.error('blob-shared', `blob ${blob}`, also, effect, { ino: user.ino });
  }

  #look(blob: number, size: number): void {
    this.blobMax = Math.max(this.blobMax, blob);
    const found = blobSize(this.#store, blob);
    if (typeof found === 'number') {
      if (found > size) this.#longer++;
      return;
    }
    if (found.startsWith(UNREADABLE)) this.failures++;
    this.#problems.set(blob, found);
  }

  /**
   * After all trees: blobs that are to be deleted though they are used, or that nothing uses. `isWhole`: every page was seen.
   */
  async finish(
    census: RecordCensus,
    deadBlobs: ReadonlySet<number>,
    isWhole: boolean,
    findings: Findings,
    progress: ProgressListener,
  ): Promise<void> {
    for (const blob of deadBlobs) {
      if (!census.hasBlob(blob)) continue;
      const ino = this.owners.of(blob);
      const problem = `to be deleted, but ${ino === 0 ? 'a file' : `inode ${ino}`} has its data there`;
      findings.error('dead-blob', `blob ${blob}`, problem, 'the next mount would delete it', ino === 0 ? {} : { ino });
    }
    if (isWhole) await this.#checkUnowned(census, deadBlobs, findings, progress);
    if (this.#longer > 0) {
      const count = `${this.#longer} ${this.#longer === 1 ? 'blob is' : 'blobs are'}`;
      const effect = 'a crash may leave that; the rest is never read';
      findings.note('blob-longer', BLOBS_DIRECTORY, `${count} longer than the file`, effect);
    }
  }

  #unowned(path: string, blob: number, findings: Findings): void {
    const size = blobSize(this.#store, blob);
    if (typeof size === 'number') {
      findings.error('blob-unowned', path, 'no file owns it', 'its space is lost, or its file is');
    } else findings.note('unknown-file', path, size, 'it is left alone');
  }

  async #checkUnowned(
    census: RecordCensus,
    deadBlobs: ReadonlySet<number>,
    findings: Findings,
    progress: ProgressListener,
  ): Promise<void> {
    const { nextBlob, clean } = this.#store.superblock;
    let leftOver = 0;
    let seen = 0;
    for (const { path, blob } of listBlobs(this.#store)) {
      if (++seen % 1024 === 0) {
        progress('blobs', seen, 0);
        await pause();
      }
      if (blob === undefined) findings.note('unknown-file', path, 'not a file of the store', 'it is left alone');
      else if (blob >= nextBlob) leftOver++;
      else if (!deadBlobs.has(blob) && !census.hasBlob(blob)) this.#unowned(path, blob, findings);
    }
    if (leftOver === 0 || !clean) return;
    const problem = `${leftOver} left by unfinished operations`;
    findings.note('blob-left-over', BLOBS_DIRECTORY, problem, 'they will be overwritten');
  }
}
