/**
 * A program of its own that unmounts, for the daemon: an unmount makes the kernel write cached data back first, and the
 * daemon, which must serve those writes, cannot wait for it in umount2(2) itself.
 *
 *     node detach.js MNT [lazy]
 *
 * Ends with 0, or with 1 and the error as one line of JSON.
 */
import { unmount } from '../fuse/unmount.js';
import { serialiseError } from './serialised-error.js';

const [mountPoint = '', mode] = process.argv.slice(2);
try {
  unmount(mountPoint, mode === 'lazy');
} catch (error) {
  process.stdout.write(JSON.stringify(serialiseError(error)));
  process.exitCode = 1;
}
