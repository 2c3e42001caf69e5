/**
 * Whether a directory can be mounted on, and an explanation where it cannot.
 */
import { readdirSync, statSync } from 'node:fs';
import { FuseError } from './fuse-error.js';
import { shellWord } from './shell-word.js';
import { detachCommand } from './unmount.js';

/** Throws a `FuseError` unless `path` is a directory that this user may mount on; an empty one, unless `nonempty`. */
export function checkMountPoint(path: string, nonempty: boolean): void {
  try {
    if (!statSync(path).isDirectory()) {
      throw new FuseError(
        'mount-point',
        `The mount point ${path} is not a directory.`,
        'Choose an empty directory, or make one with mkdir.',
      );
    }
    if (!nonempty && readdirSync(path).length > 0) {
      throw new FuseError(
        'not-empty',
        `The mount point ${path} is not empty; what is in it could not be seen while it is mounted on.`,
        'Choose an empty directory, or mount over it with -o nonempty.',
      );
    }
  } catch (error) {
    throw error instanceof FuseError ? error : explain(path, error as NodeJS.ErrnoException);
  }
}

function explain(path: string, error: NodeJS.ErrnoException): FuseError {
  switch (error.code) {
    case 'ENOENT':
      return new FuseError(
        'mount-point',
        `The mount point ${path} does not exist.`,
        `Make it with: mkdir -p ${shellWord(path)}`,
      );
    case 'ENOTDIR':
      return new FuseError('mount-point', `A part of the path ${path} is not a directory.`, 'Check the path.');
    case 'EACCES':
    case 'EPERM':
      return new FuseError(
        'no-permission',
        `The mount point ${path} cannot be looked at by this user.`,
        'Choose a directory of your own, or mount as root.',
      );
    case 'ENOTCONN':
      return new FuseError(
        'dead-mount',
        `On ${path} is a mount whose serving process is gone.`,
        `Clear it with: ${detachCommand(path)}`,
      );
    default:
      return new FuseError('mount-point', `The mount point ${path} cannot be used: ${error.message}.`);
  }
}
