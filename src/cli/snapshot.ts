/**
 * `razorfs snapshot …`: takes, lists and manages snapshots.
 */
import { Command } from 'commander';
import { type OutputOptions, printResult } from './output.js';
import { formatBytes, formatCount, formatTime } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING, tableLines } from './store-commands.js';

const HELP = `
Examples:
  razorfs snapshot create /mnt/point before-update     of the volume that is mounted there
  razorfs snapshot create /data/project work@monday    of the volume work of a store
  razorfs snapshot list /mnt/point
  ls /mnt/point/.razorfs/snapshots/before-update       its files

A snapshot is atomic and read-only, takes the same time however many files there are, and costs what changes afterwards.`;

export function snapshotCommand(): Command {
  return new Command('snapshot')
    .description('take, list and manage snapshots')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .addCommand(createCommand())
    .addCommand(listCommand());
}

function createCommand(): Command {
  return new Command('create')
    .description('take a snapshot of a volume as it is now')
    .argument(TARGET, TARGET_MEANING)
    .argument('<[VOL@]NAME>', 'its name; without VOL, of the volume mounted at MNT, or of main')
    .option('--json', 'print the result as JSON')
    .action(async (target: string, name: string, options: OutputOptions) => {
      const snapshot = await onStore(target, 'snapshot create', { name });
      printResult(options, snapshot, [`${snapshot.name} is taken`]);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('list snapshots, the oldest first')
    .argument(TARGET, TARGET_MEANING)
    .argument('[VOL]', 'those of this volume only')
    .option('--json', 'print the result as JSON')
    .action(async (target: string, volume: string | undefined, options: OutputOptions) => {
      const list = await onStore(target, 'snapshot list', { volume });
      const rows = list.snapshots.map(({ name, createdMs, dataBytes, inodes, holds }) => [
        name,
        formatTime(createdMs),
        formatBytes(dataBytes),
        formatCount(inodes),
        holds.join(', '),
      ]);
      const lines = tableLines([['NAME', 'CREATED', ' DATA', ' INODES', 'HELD FOR'], ...rows]);
      printResult(options, list, rows.length === 0 ? ['There are no snapshots.'] : lines);
    });
}
