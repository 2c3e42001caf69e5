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
  razorfs snapshot list /mnt/point                     with what destroying each would give back (OWN)
  ls /mnt/point/.razorfs/snapshots/before-update       its files
  razorfs snapshot hold /mnt/point before-update       it cannot be destroyed or pruned until released

A snapshot is atomic and read-only, takes the same time however many files there are, and costs what changes afterwards.`;

const NAME = '<[VOL@]NAME>';
const NAME_MEANING = 'the snapshot; without VOL, of the volume mounted at MNT, or of main';
/** For holds without a reason. */
const TAG_DEFAULT = 'held';

export function snapshotCommand(): Command {
  return new Command('snapshot')
    .description('take, list and manage snapshots')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(destroyCommand())
    .addCommand(renameCommand())
    .addCommand(holdCommand())
    .addCommand(releaseCommand());
}

const onTarget = (name: string): Command =>
  new Command(name).argument(TARGET, TARGET_MEANING).option('--json', 'print the result as JSON');

function createCommand(): Command {
  return onTarget('create')
    .description('take a snapshot of a volume as it is now')
    .argument(NAME, 'its name; without VOL, of the volume mounted at MNT, or of main')
    .action(async (target: string, name: string, options: OutputOptions) => {
      const snapshot = await onStore(target, 'snapshot create', { name });
      printResult(options, snapshot, [`${snapshot.name} is taken`]);
    });
}

function listCommand(): Command {
  return onTarget('list')
    .description('list snapshots, the oldest first')
    .argument('[VOL]', 'those of this volume only')
    .action(async (target: string, volume: string | undefined, options: OutputOptions) => {
      const list = await onStore(target, 'snapshot list', { volume });
      const rows = list.snapshots.map(({ name, createdMs, dataBytes, inodes, ownBytes, holds }) => [
        name,
        formatTime(createdMs),
        formatBytes(dataBytes),
        formatCount(inodes),
        formatBytes(ownBytes),
        holds.join(', '),
      ]);
      const lines = tableLines([['NAME', 'CREATED', ' DATA', ' INODES', ' OWN', 'HELD FOR'], ...rows]);
      printResult(options, list, rows.length === 0 ? ['There are no snapshots.'] : lines);
    });
}

function destroyCommand(): Command {
  return onTarget('destroy')
    .description('destroy snapshots')
    .argument('<[VOL@]NAME...>', 'the snapshots; all of them, or none when one cannot be')
    .action(async (target: string, names: readonly string[], options: OutputOptions) => {
      const gone = await onStore(target, 'snapshot destroy', { names });
      const verb = gone.snapshots.length === 1 ? 'is' : 'are';
      printResult(options, gone, [
        `${gone.snapshots.join(', ')} ${verb} destroyed; space is given back in the background`,
      ]);
    });
}

function renameCommand(): Command {
  return onTarget('rename')
    .description('rename a snapshot')
    .argument(NAME, NAME_MEANING)
    .argument('<NEW>', 'its new name')
    .action(async (target: string, name: string, newName: string, options: OutputOptions) => {
      const renamed = await onStore(target, 'snapshot rename', { name, newName });
      printResult(options, renamed, [`${name} is called ${renamed.name} now`]);
    });
}

function holdCommand(): Command {
  return onTarget('hold')
    .description('keep a snapshot from being destroyed and pruned')
    .argument(NAME, NAME_MEANING)
    .argument('[REASON]', 'a word that says what for; each is released by itself', TAG_DEFAULT)
    .action(async (target: string, name: string, tag: string, options: OutputOptions) => {
      const held = await onStore(target, 'snapshot hold', { name, tag });
      printResult(options, held, [`${held.name} is held: ${held.holds.join(', ')}`]);
    });
}

function releaseCommand(): Command {
  return onTarget('release')
    .description('end a hold')
    .argument(NAME, NAME_MEANING)
    .argument('[REASON]', 'the word that was given', TAG_DEFAULT)
    .action(async (target: string, name: string, tag: string, options: OutputOptions) => {
      const released = await onStore(target, 'snapshot release', { name, tag });
      const left = released.holds.length === 0 ? 'held no more' : `still held: ${released.holds.join(', ')}`;
      printResult(options, released, [`${released.name} is ${left}`]);
    });
}
