/**
 * Shared mappings of files, through mmap-io.
 *
 * mmap-io takes the length and the offset as 32-bit numbers and would wrap beyond, so only the first GiB of a file is ever
 * mapped, at offset 0. A mapping lives for as long as the array is reachable, whether the descriptor is open or not.
 */
import { loadNative } from './load.js';

interface MmapIo {
  readonly PROT_READ: number;
  readonly PROT_WRITE: number;
  readonly MAP_SHARED: number;
  map(size: number, protection: number, flags: number, fd: number): Buffer;
}

// Not imported: a CommonJS package whose type declarations describe an ES module.
const mmapIo = loadNative<MmapIo>('mmap-io', 'The package mmap-io');

/** Bytes. */
export const MAP_BYTES_MAX = 1 << 30;

const EINVAL = 22;

/** Maps the first `length` bytes of a file. Returns a negative errno when that fails. Writing to a read-only map kills. */
export const mapShared = (fd: number, length: number, writable: boolean): Uint8Array | number => {
  if (!(length > 0 && length <= MAP_BYTES_MAX)) return -EINVAL;
  const protection = writable ? mmapIo.PROT_READ | mmapIo.PROT_WRITE : mmapIo.PROT_READ;
  try {
    const { buffer, byteOffset } = mmapIo.map(length, protection, mmapIo.MAP_SHARED, fd);
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    // The only trace of errno is at the end of the message: "mmap failed, 12".
    return -Number(/\d+$/.exec((error as Error).message)?.[0] ?? EINVAL);
  }
};
