/**
 * `razorfs mkfs STORE`: makes an empty store.
 */
import { Command } from 'commander';
import { storePath } from '../mount/paths.js';
import { locateStore } from '../store/location.js';
import { label } from './arguments.js';
import { type OutputOptions, printResult } from './output.js';

interface MkfsOptions extends OutputOptions {
  readonly label?: string;
  readonly force?: boolean;
}

const HELP = `
Examples:
  razorfs mkfs /data/project                   make an empty store
  razorfs mkfs --label project /data/project   the same with a label, which status shows
  razorfs mkfs --force /data/project           REMOVE the store that is there, and make an empty one

It is seldom needed: mounting makes the store when there is none. A directory that holds anything else is refused.`;

export function mkfsCommand(): Command {
  return new Command('mkfs')
    .description('make an empty store')
    .argument('<STORE>', 'a directory that is empty or does not exist')
    .option('-L, --label <LABEL>', 'a name for people, at most 64 bytes', label)
    .option('-f, --force', 'remove a store that is there, with everything in it')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (given: string, options: MkfsOptions) => {
      const store = storePath(locateStore(given).path);
      // Loaded only here, to keep the other commands quick.
      const { makeStore } = await import('../mount/make-store.js');
      const made = await makeStore(store, options.label ?? '', options.force ?? false);
      const quoted = made.label === '' ? '' : ` "${made.label}"`;
      printResult(options, made, [`${made.store} is an empty store${quoted} (uuid ${made.uuid})`]);
    });
}
