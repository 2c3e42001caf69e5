/**
 * `razorfs destroy STORE`: removes a store for good.
 */
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { StoreError } from '../errors/store-error.js';
import type { IdleStore } from '../mount/idle-store.js';
import { commandTarget } from '../mount/run-command.js';
import { type OutputOptions, printResult } from './output.js';
import { formatBytes, formatCount } from './quantities.js';

interface DestroyOptions extends OutputOptions {
  readonly yes?: boolean;
}

const HELP = `
Examples:
  razorfs destroy /data/project          shows what would be lost, and asks for the store's path or label
  razorfs destroy --yes /data/project    does not ask

All volumes and snapshots go, and nothing brings them back. A store that is mounted is refused. Other files in its directory
stay. To destroy one volume: razorfs volume destroy`;

export function destroyCommand(): Command {
  return new Command('destroy')
    .description('remove a store for good')
    .argument('<STORE>', 'the directory of a store that is not mounted')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, options: DestroyOptions) => {
      const { store } = commandTarget(target);
      // Loaded only here, to keep the other commands quick.
      const { destroyStore, storeToDestroy } = await import('../mount/destroy-store.js');
      const found = storeToDestroy(store);
      if (options.yes !== true) await confirm(store, found, options);
      const destroyed = destroyStore(store);
      const { left } = destroyed;
      const others = left.length === 0 ? '' : `; left in its directory: ${left.join(', ')}`;
      printResult(options, destroyed, [`The store ${store} is destroyed${others}`]);
    });
}

/** Throws StoreError unless the user types what the store is called. */
async function confirm(store: string, found: IdleStore | undefined, options: OutputOptions): Promise<void> {
  const nothing = `Nothing was done to ${store}`;
  if (options.json || !process.stdin.isTTY || !process.stdout.isTTY) {
    throw new StoreError('not-confirmed', `${nothing}: there is no terminal to ask on.`, 'Add --yes to be sure.');
  }
  const label = found?.label ?? '';
  const what =
    found === undefined
      ? 'whose contents cannot be read'
      : `with ${formatBytes(found.dataBytes)} in ${formatCount(found.inodes)} inodes, and all its snapshots`;
  process.stdout.write(`This destroys the store ${store}${label === '' ? '' : ` "${label}"`} ${what}.\n`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const words = label === '' ? 'its path' : 'its path or label';
    const answer = (await terminal.question(`Type ${words} to go on: `)).trim();
    if (answer === store || (label !== '' && answer === label)) return;
  } finally {
    terminal.close();
  }
  throw new StoreError('not-confirmed', `${nothing}: what was typed is neither its path nor its label.`);
}
