/**
 * Mounts without staying: through the daemon that serves the store already, or with a new one.
 */
import { setTimeout } from 'node:timers/promises';
import { parseMountOptions } from '../fuse/mount-options.js';
import { lockState } from '../store/lock.js';
import { ControlClient } from './control-client.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { checkPreconditions } from './preconditions.js';
import { startDaemon } from './start-daemon.js';

/** How long to wait for a daemon that is about to serve the store, or about to end. */
const BUSY_MS_MAX = 10_000;
const LOOK_INTERVAL_MS = 25;

/** Mounts as asked. Resolves when programs can use the mount; throws what stood in the way. */
export async function mountInBackground(request: MountRequest): Promise<MountReport> {
  const startedMs = performance.now();
  for (;;) {
    const isLast = performance.now() - startedMs > BUSY_MS_MAX;
    const client = await ControlClient.connect(request.store);
    try {
      const report = client === undefined ? await withoutDaemon(request, isLast) : await withDaemon(client, request);
      if (report !== undefined) return report;
    } catch (error) {
      // A daemon that is just ending.
      if (isLast || codeOf(error) !== 'ending') throw error;
    } finally {
      client?.close();
    }
    await setTimeout(LOOK_INTERVAL_MS);
  }
}

/** Undefined when the daemon ended meanwhile. */
function withDaemon(client: ControlClient, request: MountRequest): Promise<MountReport | undefined> {
  // Here, where words of this process' user are better than those of the daemon.
  checkPreconditions(request.mountPoint, request.store, parseMountOptions(request.options).nonempty);
  return client.mount(request);
}

/** Undefined where another process that mounts has the store, and is about to serve it or to let go of it. */
async function withoutDaemon(request: MountRequest, isLast: boolean): Promise<MountReport | undefined> {
  if (!isLast && isHeldByDaemon(request.store)) return undefined;
  try {
    return await startDaemon(request);
  } catch (error) {
    // Another one was quicker.
    if (!isLast && codeOf(error) === 'in-use' && isHeldByDaemon(request.store)) return undefined;
    throw error;
  }
}

function isHeldByDaemon(store: string): boolean {
  try {
    const state = lockState(store);
    return state.held && state.holder?.command === 'razorfs';
  } catch {
    // What keeps the lock from being looked at, the daemon says better.
    return false;
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
