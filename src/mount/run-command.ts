/**
 * Runs a command on a store, wherever that can be done: in the process that serves the store, or, when none does, in this one.
 */
import { setTimeout } from 'node:timers/promises';
import { lockState } from '../store/lock.js';
import { type CommandIo, runRemotely } from './command-client.js';
import type { ArgsOf, ResultOf, StoreCommandName } from './commands/registry.js';
import type { RunRequest } from './control-protocol.js';
import { connectToDaemon } from './daemon-socket.js';
import { FILE_SYSTEM_TYPE, mountAt } from './mount-table.js';
import { mountPointPath, storePath } from './paths.js';
import { explainCommandFailure } from './store-failure.js';

/** How long to wait for a store that another command is about to let go of. */
const BUSY_MS_MAX = 10_000;
const LOOK_INTERVAL_MS = 25;

export interface CommandTarget {
  readonly store: string;
  /** Empty where the target is a store, as is the device. */
  readonly mountPoint: string;
  readonly device: string;
}

/** What the user means: a mount point, or a store. */
export function commandTarget(target: string): CommandTarget {
  const mountPoint = mountPointPath(target);
  const entry = mountAt(mountPoint);
  return entry?.type === FILE_SYSTEM_TYPE
    ? { store: entry.source, mountPoint, device: entry.device }
    : { store: storePath(target), mountPoint: '', device: '' };
}

/** Runs a command on the store that `target` names. Throws what stood in its way: StoreError, MountError, RemoteError. */
export async function runStoreCommand<Name extends StoreCommandName>(
  target: string,
  name: Name,
  args: ArgsOf<Name>,
  io: CommandIo = {},
): Promise<ResultOf<Name>> {
  const { store, ...mount } = commandTarget(target);
  const caller = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const request: RunRequest = { command: 'run', name, args, ...mount, caller };
  try {
    return (await run(store, request, io)) as ResultOf<Name>;
  } catch (error) {
    throw explainCommandFailure(store, error);
  }
}

async function run(store: string, request: RunRequest, io: CommandIo): Promise<unknown> {
  const startedMs = performance.now();
  for (;;) {
    const socket = await connectToDaemon(store);
    if (socket !== undefined) return runRemotely(socket, request, io);
    const isLast = performance.now() - startedMs > BUSY_MS_MAX;
    // Another command works on it, or whoever served it is about to end.
    if (isLast || !isLocked(store)) {
      // Loaded only here: the store's code is not needed to ask another process.
      const { runHere } = await import('./run-here.js');
      const outcome = await runHere(store, request, io, isLast);
      if (outcome !== undefined) return outcome.result;
    }
    await setTimeout(LOOK_INTERVAL_MS);
  }
}

function isLocked(store: string): boolean {
  try {
    return lockState(store).held;
  } catch {
    // What keeps the lock from being looked at, opening the store says better.
    return false;
  }
}
