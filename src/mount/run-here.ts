/**
 * Runs a command on a store that nobody serves: opens it under its lock, as a mount would, and closes it afterwards.
 */

import { StoreError } from '../errors/store-error.js';
import { Datasets } from '../volume/datasets.js';
import { COMMIT_INTERVAL_MS_DEFAULT } from '../volume/options.js';
import type { CommandIo } from './command-client.js';
import { CommandInput } from './command-input.js';
import { storeCommand } from './commands/registry.js';
import type { StoreMounts } from './commands/store-command.js';
import type { RunRequest } from './control-protocol.js';
import { OpenedStore } from './opened-store.js';
import { requireStore } from './store-directory.js';

const NO_MOUNTS: StoreMounts = {
  mountPointOf: () => undefined,
  mountsBelow: () => [],
  flush: async () => undefined,
  emptyCaches: async () => undefined,
  rolledBack: async () => undefined,
};

/** What a command has resulted in. */
export interface Outcome {
  readonly result: unknown;
}

/** Undefined when another process has the store, unless `isLast`: then that is thrown. */
export async function runHere(
  store: string,
  { name, args, caller }: RunRequest,
  io: CommandIo,
  isLast: boolean,
): Promise<Outcome | undefined> {
  requireStore(store);
  const command = storeCommand(name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  const opened = await open(store, name).catch((error: unknown) => {
    if (!isLast && error instanceof StoreError && error.code === 'in-use') return undefined;
    throw error;
  });
  if (opened === undefined) return undefined;
  // Nothing is mounted: what is swept nobody has open.
  opened.store.state.onOrphan = () => false;
  const signal = io.signal ?? new AbortController().signal;
  try {
    const result = await command(args, {
      store: opened.store,
      datasets: new Datasets(opened.store),
      mounts: NO_MOUNTS,
      volume: opened.store.main.state.dataset,
      caller,
      log: opened.log,
      signal,
      input: io.input ?? new CommandInput(),
      write: async (bytes) => {
        signal.throwIfAborted();
        await io.output?.(bytes);
      },
      progress: (report) => io.progress?.(report),
    });
    return { result };
  } finally {
    await opened.closeStore().finally(() => opened.release());
  }
}

const open = (store: string, name: string): Promise<OpenedStore> =>
  OpenedStore.open({
    store,
    label: '',
    durability: 'interval',
    commitIntervalMs: COMMIT_INTERVAL_MS_DEFAULT.interval,
    readOnly: false,
    holder: `razorfs ${name}`,
    mountPoint: '',
  });
