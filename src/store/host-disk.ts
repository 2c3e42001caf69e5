/**
 * The real disk: a directory of the host, through node:fs, the addon and mmap-io.
 *
 * Invariants:
 * - A descriptor is closed only after the last background call on it has ended, since its number may be given out again.
 * - An allocation that fails leaves the size as it was.
 * - A failing sync is never tried again: the kernel has dropped the pages by then (file-syncs.ts).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import {
  allocatedBytes,
  errnoName,
  fallocate,
  fdatasync,
  fdatasyncInBackground,
  fileSize,
  fileSystemStatistics,
  ftruncate,
  lseek,
  pread,
  preadCached,
  preadInBackground,
  pwrite,
  sendCached,
  sendInBackground,
  startWritebackInBackground,
} from '../native/addon.js';
import { mapShared } from '../native/mapping.js';
import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskStatistics,
  type FileBytes,
  type OpenMode,
  type SendResult,
} from './disk.js';
import { FileSyncs } from './file-syncs.js';
import { Reflinks } from './reflinks.js';

/** fallocate(2), linux/falloc.h */
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
/** lseek(2) */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** Negative errno numbers that are answers rather than failures. */
const ENXIO = -6;
const EAGAIN = -11;
const EOPNOTSUPP = -95;

/** How much is written at once where the host cannot allocate or free by itself. */
const CHUNK_BYTES = 1 << 20;
const ZEROS = new Uint8Array(CHUNK_BYTES);

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC,
};

/** Runs a call of node:fs; its failure becomes a DiskError. */
const onHost = <T>(syscall: string, path: string, call: () => T): T => {
  try {
    return call();
  } catch (error) {
    // By number: libuv's name, `code`, is missing for errno numbers that it does not know, as EDQUOT.
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new DiskError(errnoName(errno), syscall, path);
  }
};

class HostDiskFile implements DiskFile {
  readonly path: string;
  readonly #writable: boolean;
  readonly #reflinks: Reflinks;
  readonly #syncs = new FileSyncs();
  /** -1 once closed, so that later calls fail with EBADF. */
  #fd: number;
  #backgroundCalls = 0;
  #closeWhenIdle = -1;

  constructor(path: string, fd: number, writable: boolean, reflinks: Reflinks) {
    this.path = path;
    this.#fd = fd;
    this.#writable = writable;
    this.#reflinks = reflinks;
  }

  size(): number {
    return this.#checked('fstat', fileSize(this.#fd));
  }

  allocatedBytes(): number {
    return this.#checked('fstat', allocatedBytes(this.#fd));
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    return this.#checked('pread', pread(this.#fd, into, offset, length, position));
  }

  readCached(into: Uint8Array, offset: number, length: number, position: number): number {
    const result = preadCached(this.#fd, into, offset, length, position);
    return result === EAGAIN ? -1 : this.#checked('preadv2', result);
  }

  async readInBackground(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#checked(
      'pread',
      await this.#inBackground(preadInBackground(this.#fd, into, offset, length, position)),
    );
  }

  sendCached(message: Uint8Array, offset: number, length: number, position: number, device: number): SendResult {
    const result = sendCached(this.#fd, message, offset, length, position, device);
    if (result === 0) return 'sent';
    return result === EAGAIN ? 'uncached' : 'unfit';
  }

  async sendInBackground(
    message: Uint8Array,
    offset: number,
    length: number,
    position: number,
    device: number,
  ): Promise<number> {
    const sending = sendInBackground(this.#fd, message, offset, length, position, device);
    return this.#checked('pread', await this.#inBackground(sending));
  }

  write(from: Uint8Array, offset: number, length: number, position: number): void {
    this.#checked('pwrite', pwrite(this.#fd, from, offset, length, position));
  }

  cloneFrom(source: DiskFile, range: FileBytes): FileBytes {
    if (!(source instanceof HostDiskFile)) return { from: range.to, to: range.to };
    return this.#reflinks.clone(this.path, this.#fd, source.#fd, source.size(), range);
  }

  truncate(size: number): void {
    this.#checked('ftruncate', ftruncate(this.#fd, size));
  }

  allocate(position: number, length: number): void {
    const size = this.size();
    const result = fallocate(this.#fd, 0, position, length);
    if (result === 0) return;
    try {
      if (result === EOPNOTSUPP) this.#allocateByWriting(position, length, size);
      else this.#checked('fallocate', result);
    } catch (error) {
      // What was allocated before the failure is given back: hosts extend the file as they go.
      if (this.size() > size) this.truncate(size);
      throw error;
    }
  }

  reserve(position: number, length: number): void {
    this.#checked('fallocate', fallocate(this.#fd, FALLOC_FL_KEEP_SIZE, position, length));
  }

  punch(position: number, length: number): void {
    const result = fallocate(this.#fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, position, length);
    // Where the host cannot free a part of a file, reading zeros is the half of the promise that matters.
    if (result === EOPNOTSUPP) this.#writeZeros(position, Math.min(position + length, this.size()));
    else this.#checked('fallocate', result);
  }

  seekData(position: number): number {
    return this.#seek(position, SEEK_DATA);
  }

  seekHole(position: number): number {
    return this.#seek(position, SEEK_HOLE);
  }

  map(length: number): Uint8Array {
    const result = mapShared(this.#fd, length, this.#writable);
    if (typeof result === 'number') throw new DiskError(errnoName(result), 'mmap', this.path);
    return result;
  }

  startWriteback(position: number, length: number): void {
    // A failure is not told: it is the next sync's to report.
    void this.#inBackground(startWritebackInBackground(this.#fd, position, length));
  }

  async sync(): Promise<void> {
    const sync = (): Promise<number> => this.#inBackground(fdatasyncInBackground(this.#fd));
    this.#checked('fdatasync', await this.#syncs.inBackground(sync));
  }

  syncNow(): void {
    this.#checked(
      'fdatasync',
      this.#syncs.atOnce(() => fdatasync(this.#fd)),
    );
  }

  close(): void {
    if (this.#fd < 0) return;
    if (this.#backgroundCalls === 0) fs.closeSync(this.#fd);
    else this.#closeWhenIdle = this.#fd;
    this.#fd = -1;
  }

  #checked(syscall: string, result: number): number {
    if (result < 0) throw new DiskError(errnoName(result), syscall, this.path);
    return result;
  }

  #seek(position: number, whence: number): number {
    const result = lseek(this.#fd, position, whence);
    return result === ENXIO ? -1 : this.#checked('lseek', result);
  }

  async #inBackground(call: Promise<number>): Promise<number> {
    this.#backgroundCalls++;
    const result = await call;
    this.#backgroundCalls--;
    if (this.#backgroundCalls === 0 && this.#closeWhenIdle >= 0) {
      fs.closeSync(this.#closeWhenIdle);
      this.#closeWhenIdle = -1;
    }
    return result;
  }

  /** For hosts without fallocate: writes what is there back as it is, holes included, and zeros past the old end. */
  #allocateByWriting(position: number, length: number, size: number): void {
    const end = position + length;
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let at = position; at < Math.min(end, size); at += CHUNK_BYTES) {
      const part = this.read(chunk, 0, Math.min(CHUNK_BYTES, end - at), at);
      this.write(chunk, 0, part, at);
    }
    this.#writeZeros(Math.max(position, size), end);
  }

  #writeZeros(from: number, to: number): void {
    for (let at = from; at < to; at += CHUNK_BYTES) this.write(ZEROS, 0, Math.min(CHUNK_BYTES, to - at), at);
  }
}

export interface HostDiskOptions {
  /** Nothing is written: opening for writing and changing a directory are refused with EROFS. */
  readonly readOnly: boolean;
}

/** A store directory on the host. */
export class HostDisk implements Disk {
  readonly #directory: string;
  readonly #readOnly: boolean;
  readonly #figures = new Float64Array(6);
  readonly #reflinks = new Reflinks(() => this.statistics().blockSize);

  /** `directory` is absolute and exists. */
  constructor(directory: string, options: HostDiskOptions = { readOnly: false }) {
    this.#directory = directory;
    this.#readOnly = options.readOnly;
  }

  open(path: string, mode: OpenMode): DiskFile {
    if (mode !== 'read') this.#refuseWhenReadOnly('open', path);
    const fd = onHost('open', path, () => fs.openSync(this.#absolute(path), OPEN_FLAGS[mode], 0o600));
    return new HostDiskFile(path, fd, mode !== 'read', this.#reflinks);
  }

  exists(path: string): boolean {
    return onHost('stat', path, () => fs.statSync(this.#absolute(path), { throwIfNoEntry: false }) !== undefined);
  }

  list(path: string): string[] {
    return onHost('readdir', path, () => fs.readdirSync(this.#absolute(path)));
  }

  makeDirectory(path: string): void {
    this.#refuseWhenReadOnly('mkdir', path);
    onHost('mkdir', path, () => {
      // Not `recursive`: a missing parent is an error, whereas a directory that is there is not.
      if (fs.statSync(this.#absolute(path), { throwIfNoEntry: false })?.isDirectory()) return;
      fs.mkdirSync(this.#absolute(path), 0o700);
    });
  }

  remove(path: string): void {
    this.#refuseWhenReadOnly('unlink', path);
    try {
      onHost('unlink', path, () => fs.unlinkSync(this.#absolute(path)));
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'ENOENT')) throw error;
    }
  }

  syncDirectory(path: string): void {
    onHost('fsync', path, () => {
      const fd = fs.openSync(this.#absolute(path), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  statistics(): DiskStatistics {
    const result = fileSystemStatistics(this.#directory, this.#figures);
    if (result < 0) throw new DiskError(errnoName(result), 'statvfs', this.#directory);
    const [blockSize, blocks, blocksFree, blocksAvailable, files, filesFree] = this.#figures;
    return { blockSize, blocks, blocksFree, blocksAvailable, files, filesFree };
  }

  #absolute(name: string): string {
    return path.join(this.#directory, name);
  }

  #refuseWhenReadOnly(syscall: string, path: string): void {
    if (this.#readOnly) throw new DiskError('EROFS', syscall, path);
  }
}
