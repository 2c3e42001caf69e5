/**
 * flock(2), through fs-ext. A lock belongs to the open file description: the kernel drops it when the last descriptor is
 * closed, also by the death of the process.
 */
import { loadNative } from './load.js';

interface FsExt {
  flockSync(fd: number, operation: 'exnb' | 'un'): void;
}

// A CommonJS package without type declarations.
const fsExt = loadNative<FsExt>('fs-ext', 'The package fs-ext');

/** Takes the exclusive lock without waiting; false when another open file description holds it. */
export const tryLockExclusive = (fd: number): boolean => {
  try {
    fsExt.flockSync(fd, 'exnb');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
};

/** Gives the lock up. */
export const unlock = (fd: number): void => fsExt.flockSync(fd, 'un');
