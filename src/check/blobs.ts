/**
 * Blobs against inodes: each file that has one has it alone, and its host file is there; each host file belongs to a file.
 *
 * Relies on the blob paths of blobs/blob-store.ts. Remembers 16 bytes for each blob.
 */
import { BLOBS_DIRECTORY, blobPath } from '../blobs/blob-store.js';
import { DiskError } from '../store/disk.js';
import { asBlobId } from '../store/units.js';
import type { Finding, Findings, ProgressListener } from './findings.js';
import { pause } from './pause.js';
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

export class BlobCheck {
  readonly #store: StoreUnderCheck;
  readonly #findings: Findings;
  #blobs = new Float64Array(256);
  #owners = new Float64Array(256);
  #length = 0;
  #longer = 0;
  blobMax = 0;
  /** Reads that the host refused: its disk may be failing. */
  failures = 0;

  constructor(store: StoreUnderCheck, findings: Findings) {
    this.#store = store;
    this.#findings = findings;
  }

  /** A file says that its data is in this blob. */
  check(blob: number, ino: number, size: number, file: () => Pick<Finding, 'ino' | 'path'>): void {
    if (blob === 0 || blob > Number.MAX_SAFE_INTEGER) {
      this.#findings.error(
        'blob-missing',
        `inode ${ino}`,
        `its data is in blob ${blob}, which cannot be`,
        'its data is lost',
        file(),
      );
      return;
    }
    this.#add(blob, ino);
    this.blobMax = Math.max(this.blobMax, blob);
    const found = blobSize(this.#store, blob);
    if (typeof found === 'string') {
      if (found.startsWith(UNREADABLE)) this.failures++;
      const where = blobPath(asBlobId(blob));
      this.#findings.error('blob-missing', `inode ${ino}`, `its blob ${where} is ${found}`, 'its data is lost', file());
    } else if (found > size) this.#longer++;
  }

  #add(blob: number, ino: number): void {
    if (this.#length === this.#blobs.length) {
      const grown = (from: Float64Array): Float64Array<ArrayBuffer> => {
        const to = new Float64Array(from.length * 2);
        to.set(from);
        return to;
      };
      this.#blobs = grown(this.#blobs);
      this.#owners = grown(this.#owners);
    }
    this.#blobs[this.#length] = blob;
    this.#owners[this.#length++] = ino;
  }

  /** After all inodes: blobs with several owners or none. `isWhole`: every inode was seen. */
  async finish(deadBlobs: ReadonlySet<number>, isWhole: boolean, progress: ProgressListener): Promise<void> {
    const sorted = this.#checkShared(deadBlobs);
    if (isWhole) await this.#checkUnowned(sorted, deadBlobs, progress);
    if (this.#longer > 0) {
      const count = `${this.#longer} ${this.#longer === 1 ? 'blob is' : 'blobs are'}`;
      this.#findings.note(
        'blob-longer',
        BLOBS_DIRECTORY,
        `${count} longer than the file`,
        'a crash may leave that; the rest is never read',
      );
    }
  }

  /** Returns the blobs in use, sorted. */
  #checkShared(deadBlobs: ReadonlySet<number>): Float64Array {
    const [blobs, owners] = [this.#blobs, this.#owners];
    const order = new Uint32Array(this.#length).map((_, index) => index).sort((a, b) => blobs[a] - blobs[b]);
    order.forEach((index, place) => {
      const [blob, ino] = [blobs[index], owners[index]];
      const before = place > 0 ? order[place - 1] : -1;
      if (before >= 0 && blobs[before] === blob) {
        this.#findings.error(
          'blob-shared',
          `blob ${blob}`,
          `belongs to inode ${ino}, and to inode ${owners[before]} as well`,
          'a change to one changes the other',
          { ino },
        );
      }
      if (deadBlobs.has(blob)) {
        this.#findings.error(
          'dead-blob',
          `blob ${blob}`,
          `to be deleted, but inode ${ino} has its data there`,
          'the next mount would delete it',
          { ino },
        );
      }
    });
    return Float64Array.from(order, (index) => blobs[index]);
  }

  #unowned(path: string, blob: number): void {
    const size = blobSize(this.#store, blob);
    if (typeof size === 'number') {
      this.#findings.error('blob-unowned', path, 'no file owns it', 'its space is lost, or its file is');
    } else this.#findings.note('unknown-file', path, size, 'it is left alone');
  }

  async #checkUnowned(sorted: Float64Array, deadBlobs: ReadonlySet<number>, progress: ProgressListener): Promise<void> {
    const { nextBlob } = this.#store.superblock;
    let leftOver = 0;
    let seen = 0;
    for (const { path, blob } of listBlobs(this.#store)) {
      if (++seen % 1024 === 0) {
        progress('blobs', seen, 0);
        await pause();
      }
      if (blob === undefined) this.#findings.note('unknown-file', path, 'not a file of the store', 'it is left alone');
      else if (blob >= nextBlob) leftOver++;
      else if (!deadBlobs.has(blob) && !contains(sorted, blob)) this.#unowned(path, blob);
    }
    if (leftOver > 0 && this.#store.superblock.clean) {
      this.#findings.note(
        'blob-left-over',
        BLOBS_DIRECTORY,
        `${leftOver} left by unfinished operations`,
        'they will be overwritten',
      );
    }
  }
}

function contains(sorted: Float64Array, value: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low < sorted.length && sorted[low] === value;
}
