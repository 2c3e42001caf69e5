/**
 * One mount, from its request to its end: opens the store, mounts, serves until the kernel says that the mount is gone, and
 * leaves the store clean. Used by the daemon and, in the foreground, by the command itself.
 *
 * The end has one path whoever began it. Somebody unmounts (`umount`, `fusermount3 -u`), or a signal or a command makes this
 * process do so; either way the session ends, and only then is the volume closed, the lock released, and success told.
 */
import { FileSystem } from '../filesystem/filesystem.js';
import { mountDevice } from '../fuse/device.js';
import { type FuseMountOptions, parseMountOptions } from '../fuse/mount-options.js';
import { Session } from '../fuse/session.js';
import { volatileKind } from '../store/volatile.js';
import type { MountStatus } from './control-protocol.js';
import { type ControlledMount, ControlServer } from './control-server.js';
import { detach } from './detach.js';
import type { Logger } from './log.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { type OpenedStore, openStore } from './opened-store.js';

/** After a signal, how long those who still have files open may go on before their mount ends under them. */
const GRACE_MS = 10_000;

/** Mounts as asked. `terminal` receives what the log says, for a person. Everything is undone when it throws. */
export async function serve(request: MountRequest, terminal?: (line: string) => void): Promise<ServedMount> {
  const options = parseMountOptions(request.options);
  const store = await openStore(request, terminal);
  try {
    return await ServedMount.start(request, options, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}
