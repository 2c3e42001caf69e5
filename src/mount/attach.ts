/**
 * A program of its own that mounts, for a daemon that serves other mounts already: the mount point may lie in one of those, and
 * the daemon, which must answer what the kernel asks on the way there, cannot wait in mount(2) itself.
 *
 *     node attach.js '{"mountPoint", "store", "options"}'
 *
 * The descriptor of /dev/fuse goes out over the socket that is descriptor 3. Ends with 0, or with 1 and the error as one line of
 * JSON.
 */
import { mountFuse } from '../fuse/device.js';
import type { MountOptions } from '../fuse/mount-options.js';
import { unmount } from '../fuse/unmount.js';
import { errnoName, sendFileDescriptor } from '../native/addon.js';
import { checkPreconditions } from './preconditions.js';
import { serialiseError } from './serialised-error.js';

export interface AttachRequest {
  readonly mountPoint: string;
  readonly store: string;
  readonly options: MountOptions;
}

const SOCKET = 3;

try {
  const { mountPoint, store, options }: AttachRequest = JSON.parse(process.argv[2] ?? '');
  checkPreconditions(mountPoint, store, options.nonempty);
  const fd = mountFuse(mountPoint, store, options);
  const result = sendFileDescriptor(SOCKET, fd);
  if (result < 0) {
    unmount(mountPoint, true);
    throw new Error(`the descriptor of the mount cannot be passed on: ${errnoName(result)}`);
  }
} catch (error) {
  process.stdout.write(JSON.stringify(serialiseError(error)));
  process.exitCode = 1;
}
