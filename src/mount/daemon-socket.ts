/**
 * The way from a command to the daemon of a store: its control socket. A daemon does not listen at every moment: while it starts,
 * between the death of a worker and the next one, and while it ends. It has the store's lock all the time, so that commands can tell
 * this from a store that nobody serves, and wait.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { lockState } from '../store/lock.js';
import { SocketDirectory } from './control-protocol.js';
import { MountError } from './mount-error.js';

/** How long to wait for a daemon that does not listen: the next worker may have a log to replay. */
const SILENT_MS_MAX = 10_000;
const LOOK_INTERVAL_MS = 25;

/**
 * A connection to the daemon that serves `store`. Resolves to undefined when none does, or when it does not listen for too long; throws
 * `no-permission` when this user may not ask.
 */
export async function connectToDaemon(store: string): Promise<Socket | undefined> {
  const startedMs = performance.now();
  for (;;) {
    const socket = await connectOnce(store);
    if (socket !== undefined || !isHeldByDaemon(store) || performance.now() - startedMs > SILENT_MS_MAX) return socket;
    await setTimeout(LOOK_INTERVAL_MS);
  }
}

async function connectOnce(store: string): Promise<Socket | undefined> {
  let directory: SocketDirectory | undefined;
  try {
    directory = new SocketDirectory(store);
    return await connectTo(directory.socketPath);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM') {
      const message = `The store ${store} belongs to another user.`;
      throw new MountError('no-permission', message, 'Try again as its owner or as root.');
    }
    return undefined;
  } finally {
    directory?.close();
  }
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

/** Programs that do not mount hold the lock without a mount point, and never listen. */
function isHeldByDaemon(store: string): boolean {
  try {
    const state = lockState(store);
    return state.held && state.holder?.mountPoint !== '';
  } catch {
    // What keeps the lock from being looked at, whoever opens the store says better.
    return false;
  }
}
