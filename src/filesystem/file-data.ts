/**
 * The data of regular files: reading, writing, resizing, allocating, holes, and copying ranges.
 *
 * A file's data is nowhere (all zeros), in one pack extent, or in a blob. Extents and blobs may be shorter than the file: what is
 * missing reads as zeros. A file moves to a blob (file-blob.ts) when it outgrows the packs, and stays there until it is truncated to
 * nothing.
 */

import { SMALL_FILE_BYTES_MAX } from '../blobs/packs.js';
import { EFBIG, EINVAL, EISDIR, ENODEV, ENXIO, EOPNOTSUPP } from '../errors/errno.js';
import { asAddress, type BlobId, type Ino } from '../store/units.js';
import { hasBlob, Inode, STORAGE_NONE, STORAGE_PACK, type Timestamp } from '../volume/inode.js';
import { KIND_EXTENT, readU64 } from '../volume/items.js';
import { isLackOfSpace } from '../volume/maintenance.js';
import { isDirectory, isRegular } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';
import { load } from './access.js';
import { FileBlob } from './file-blob.js';
import {
  type Caller,
  type Delivery,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  type ReadResult,
  SEEK_DATA,
  SEEK_HOLE,
} from './operations.js';
import { assertRoom } from './quotas.js';

/** The largest file: what JavaScript numbers hold exactly, and more than a host file may have. */
export const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** `copyRange` copies at most this much in one call. */
const COPY_BYTES_MAX = 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

export class FileData {
  readonly #volume: Volume;
  readonly #blob: FileBlob;
  readonly #isSync: boolean;
  readonly #inode = new Inode();

  /** `isSync`: each change is to be durable before it is answered. */
  constructor(volume: Volume, isSync: boolean) {
    this.#volume = volume;
    this.#isSync = isSync;
    this.#blob = new FileBlob(volume);
  }

  /** Loads a regular file. Throws ESTALE, EISDIR, EINVAL. */
  #load(ino: Ino): Inode {
    const inode = load(this.#volume, ino, this.#inode);
    if (isDirectory(inode.mode)) throw EISDIR;
    if (!isRegular(inode.mode)) throw EINVAL;
    return inode;
  }

  /** The extent of a file whose data is in a pack. Throws CorruptionError: a change of what is damaged must not come to be logged. */
  #extent(inode: Inode): Uint8Array {
    const { tree, packs } = this.#volume.state;
    if (!tree.find(inode.ino, KIND_EXTENT, 0)) return NO_BYTES;
    return packs.get(asAddress(readU64(tree.words, tree.valueWord)));
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  read(ino: Ino, position: number, length: number, into: Uint8Array, at: number, delivery?: Delivery): ReadResult {
    const inode = this.#load(ino);
    const count = Math.min(length, inode.size - position);
    if (count <= 0) return 0;
    if (inode.storage === STORAGE_NONE) return zerosAfter(into, at, 0, count);
    if (hasBlob(inode.storage)) return this.#blob.read(inode, position, count, into, at, delivery);
    const data = this.#extent(inode).subarray(position, position + count);
    into.set(data, at);
    return zerosAfter(into, at, data.length, count);
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes a range; `modeOf` gives the mode that the file has afterwards. See `FileSystemOperations.write` for `isTimed`. */
  write(
    ino: Ino,
    position: number,
    length: number,
    from: Uint8Array,
    at: number,
    modeOf: (mode: number) => number,
    caller: Caller,
    isTimed: boolean,
    logged?: () => void,
  ): void {
    const volume = this.#volume;
    volume.assertWritable();
    const inode = this.#load(ino);
    const end = position + length;
    if (end > FILE_BYTES_MAX) throw EFBIG;
    if (length === 0) return;
    this.#assertRoom(inode, end);
    const mode = modeOf(inode.mode);
    const lastChange = isTimed ? timeOfLastChange(inode) : undefined;
    const time = lastChange ?? volume.now();
    if (!hasBlob(inode.storage) && end <= SMALL_FILE_BYTES_MAX) {
      if (inode.storage === STORAGE_PACK) this.#extent(inode);
      const data = from.subarray(at, at + length);
      volume.perform({ type: 'writeSmall', ino, position, data, mode, time }, caller.request, logged);
      return;
    }
    const blob = this.#withSpace(() => {
      const into = this.#blobForWriting(inode, end, caller);
      const written = this.#blob.prepareWrite(inode, position, end, caller);
      volume.state.blobs.write(into, from, at, length, position);
      written();
      return into;
    });
    const isSame = lastChange !== undefined && mode === inode.mode && end <= inode.size;
    // Where the record would say nothing but that the blob has unsynced data, one is enough. A commit for each change looks for records.
    if (isSame && !this.#isSync && volume.state.blobs.isLogged(blob)) return;
    volume.perform({ type: 'writeBlob', ino, blob, end, mode, time }, caller.request, logged);
  }

  /** Throws EDQUOT when a file may not grow to `size`. */
  #assertRoom(inode: Inode, size: number): void {
    assertRoom(this.#volume, inode.quotaGroup, size - inode.size, 0);
  }

  /** Does what takes space for a blob. When there is none, the volume gives back what it can, for later attempts. */
  #withSpace(work: () => BlobId): BlobId {
    try {
      return work();
    } catch (error) {
      // A blob that no record names yet would keep its space without an owner.
      this.#volume.abandonNextBlob();
      if (isLackOfSpace(error)) this.#volume.afterLackOfSpace();
      throw error;
    }
  }

  /** A blob that holds the file's data so far, ready to be written up to `end`. */
  #blobForWriting(inode: Inode, end: number, caller: Caller): BlobId {
    const { blobs } = this.#volume.state;
    if (hasBlob(inode.storage)) {
      if (end > inode.size) this.#blob.prepareResize(inode, end, caller);
      else this.#blob.makeOwn(inode, caller);
      return inode.blob;
    }
    const blob = this.#volume.nextBlob;
    blobs.create(blob);
    if (inode.storage === STORAGE_PACK) {
      const extent = this.#extent(inode);
      blobs.write(blob, extent, 0, extent.length, 0);
      this.#volume.perform({ type: 'promote', ino: inode.ino, blob }, caller.request);
    }
    return blob;
  }

  /** Cuts or extends a file. See `AttributeChanges` for `isTimed`. */
  resize(ino: Ino, size: number, modeOf: (mode: number) => number, caller: Caller, isTimed: boolean): void {
    const volume = this.#volume;
    volume.assertWritable();
    const inode = this.#load(ino);
    if (size > FILE_BYTES_MAX) throw EFBIG;
    this.#assertRoom(inode, size);
    if (inode.storage === STORAGE_PACK && size > 0) this.#extent(inode);
    if (hasBlob(inode.storage) && size > 0 && size !== inode.size) {
      this.#withSpace(() => {
        this.#blob.prepareResize(inode, size, caller);
        return inode.blob;
      });
    }
    const mode = modeOf(inode.mode);
    const isSame = size === inode.size && mode === inode.mode;
    // Space that was set aside goes when a file is cut to nothing.
    if (isTimed && isSame && (size > 0 || inode.storage === STORAGE_NONE)) return;
    volume.perform({ type: 'resize', ino, size, mode, time: volume.now() }, caller.request);
  }

  // ── Allocation and holes ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * fallocate(2): allocates, punches a hole, or zeroes a range; `modeOf` gives the mode that the file has afterwards. Throws
   * EOPNOTSUPP for other modes.
   */
  allocate(
    ino: Ino,
    mode: number,
    position: number,
    length: number,
    modeOf: (mode: number) => number,
    caller: Caller,
  ): void {
    this.#volume.assertWritable();
    const inode = load(this.#volume, ino, this.#inode);
    if (!isRegular(inode.mode)) throw ENODEV;
    inode.mode = modeOf(inode.mode);
    if (length <= 0 || position < 0) throw EINVAL;
    const end = position + length;
    if (end > FILE_BYTES_MAX) throw EFBIG;
    const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    // What is allocated beyond the end does not count, but must not take more than could be written there.
    if ((mode & FALLOC_FL_PUNCH_HOLE) === 0) this.#assertRoom(inode, end);
    switch (mode & ~FALLOC_FL_KEEP_SIZE) {
      case 0:
        this.#reserve(inode, position, length, keepsSize ? inode.size : end, caller);
        return;
      case FALLOC_FL_PUNCH_HOLE:
        if (!keepsSize) throw EOPNOTSUPP;
        if (!this.#zero(inode, position, Math.min(end, inode.size), caller)) this.#noteChange(inode, caller);
        return;
      case FALLOC_FL_ZERO_RANGE:
        this.#zero(inode, position, Math.min(end, inode.size), caller);
        load(this.#volume, ino, inode).mode = modeOf(inode.mode);
        this.#reserve(inode, position, length, keepsSize ? inode.size : end, caller);
        return;
      default:
        throw EOPNOTSUPP;
    }
  }

  /** Allocates space in the file's blob: later writes there cannot fail for lack of it. */
  #reserve(inode: Inode, position: number, length: number, size: number, caller: Caller): void {
    const { ino, mode } = inode;
    const { blobs } = this.#volume.state;
    const blob = this.#withSpace(() => {
      const into = this.#blobForWriting(inode, size, caller);
      blobs.reserve(into, position, length);
      return into;
    });
    const time = this.#volume.now();
    const before = inode.size;
    this.#volume.perform({ type: 'writeBlob', ino, blob, end: Math.min(size, before), mode, time }, caller.request);
    // A size that no data stands for is said as such: recovery would take it for data that did not reach the disk.
    if (size > before) this.#volume.perform({ type: 'resize', ino, size, mode, time }, caller.request);
  }

  /** Makes a range read as zeros, within the file. Returns whether there was anything to do. */
  #zero(inode: Inode, position: number, end: number, caller: Caller): boolean {
    if (end <= position) return false;
    const { ino, mode } = inode;
    const { blobs } = this.#volume.state;
    const time = this.#volume.now();
    if (inode.storage === STORAGE_PACK) {
      const last = Math.min(end, this.#extent(inode).length);
      if (last <= position) return false;
      const data = new Uint8Array(last - position);
      this.#volume.perform({ type: 'writeSmall', ino, position, data, mode, time }, caller.request);
      return true;
    }
    if (hasBlob(inode.storage)) {
      const blob = this.#withSpace(() => {
        this.#blob.makeOwn(inode, caller);
        const punched = this.#blob.prepareWrite(inode, position, end, caller);
        blobs.touch(inode.blob);
        blobs.file(inode.blob).punch(position, end - position);
        punched();
        return inode.blob;
      });
      this.#volume.perform({ type: 'writeBlob', ino, blob, end: 0, mode, time }, caller.request);
      return true;
    }
    return false;
  }

  /** Mode and times after a change that leaves the content as it is. */
  #noteChange(inode: Inode, caller: Caller): void {
    const { ino, mode, uid, gid } = inode;
    const atime = { seconds: inode.atimeSeconds, nanoseconds: inode.atimeNanoseconds };
    const time = this.#volume.now();
    this.#volume.perform(
      { type: 'setAttributes', ino, mode, uid, gid, atime, mtime: time, ctime: time },
      caller.request,
    );
  }

  /** lseek(2) with SEEK_DATA and SEEK_HOLE. Throws ENXIO. */
  seek(ino: Ino, position: number, whence: number): number {
    const inode = this.#load(ino);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw EINVAL;
    if (position < 0 || position >= inode.size) throw ENXIO;
    if (hasBlob(inode.storage)) return this.#blob.seek(inode, position, whence);
    const dataEnd = inode.storage === STORAGE_PACK ? this.#extent(inode).length : 0;
    if (whence === SEEK_HOLE) return Math.max(position, dataEnd);
    if (position >= dataEnd) throw ENXIO;
    return position;
  }

  /**
   * Bytes that the file's data takes on the host. Small files count as whole: to look at the extent itself would mean to read,
   * and check, a file's data from the disk for each stat.
   */
  allocatedBytes(inode: Inode): number {
    if (hasBlob(inode.storage)) return this.#blob.allocatedBytes(inode);
    if (inode.storage !== STORAGE_PACK) return 0;
    return inode.size <= SMALL_FILE_BYTES_MAX ? inode.size : this.#extent(inode).length;
  }

  // ── Copying ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Copies up to COPY_BYTES_MAX bytes between files. Returns how many. */
  copyRange(
    from: Ino,
    fromPosition: number,
    to: Ino,
    toPosition: number,
    length: number,
    modeOf: (mode: number) => number,
    caller: Caller,
  ): number {
    const source = this.#load(from);
    const count = Math.min(length, COPY_BYTES_MAX, source.size - fromPosition);
    if (count <= 0) return 0;
    const data = new Uint8Array(count);
    if (source.storage === STORAGE_PACK) data.set(this.#extent(source).subarray(fromPosition, fromPosition + count));
    else if (hasBlob(source.storage)) this.#blob.readNow(source, fromPosition, data);
    this.write(to, toPosition, count, data, 0, modeOf, caller, false);
    return count;
  }

  /** The blob of a file, if it has one. */
  blobOf(ino: Ino): BlobId | undefined {
    const inode = load(this.#volume, ino, this.#inode);
    return hasBlob(inode.storage) ? inode.blob : undefined;
  }
}

/**
 * When the content was changed last, if nothing but the content was changed since. A write that moves mtime and ctime in the kernel
 * moves both, and the kernel sends them unless they are what it sent before, when both are equal: then they must stay. Otherwise
 * it sends them before or after the data.
 */
function timeOfLastChange(inode: Inode): Timestamp | undefined {
  const { mtimeSeconds: seconds, mtimeNanoseconds: nanoseconds, ctimeSeconds, ctimeNanoseconds } = inode;
  return seconds === ctimeSeconds && nanoseconds === ctimeNanoseconds ? { seconds, nanoseconds } : undefined;
}

function zerosAfter(into: Uint8Array, at: number, got: number, count: number): number {
  if (got < count) into.fill(0, at + got, at + count);
  return count;
}
