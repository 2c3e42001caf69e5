/**
 * flock(2), through fs-ext. A lock belongs to the open file description: the kernel drops it when the last descriptor is
 * closed, also by the death of the process.
 */
import { createRequire } from 'node:module';

interface FsExt {
  flockSync(fd: number, operation: 'exnb' | 'un'): void;
}

// A CommonJS package without type declarations.
const fsExt = createRequire(import.meta.url)('fs-ext') as FsExt;

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
