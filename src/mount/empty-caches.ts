/**
 * A program of its own that has the kernel give up what it has cached of a mount, for the daemon: the kernel may write data back on the
 * way, which the daemon must serve.
 *
 *     node empty-caches.js MNT
 *
 * Ends with 0, or with 1 and the error as one line of JSON.
 */
import { errnoName, reconfigure } from '../native/addon.js';
import { serialiseError } from './serialised-error.js';

const [mountPoint = ''] = process.argv.slice(2);
const result = reconfigure(mountPoint);
if (result < 0) {
  process.stdout.write(JSON.stringify(serialiseError(new Error(errnoName(result)))));
  process.exitCode = 1;
}
