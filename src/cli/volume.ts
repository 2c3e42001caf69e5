/**
 * `razorfs volume …`: makes, lists and manages the volumes of a store. `razorfs clone`: a volume made from a snapshot.
 */
import { Command } from 'commander';
import { type OutputOptions, printResult } from './output.js';
import { getPropertiesCommand, setPropertiesCommand } from './properties.js';
import { formatBytes, formatCount, formatNumberOf, formatTime } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING, tableLines } from './store-commands.js';

const HELP = `
Examples:
  razorfs volume create /mnt/point work                   an empty volume beside main
  razorfs volume create /mnt/point try --from main@good   one that begins as a snapshot, and shares its space
  razorfs /mnt/work --volume work                         mount it; several volumes can be mounted at once
  razorfs volume list /mnt/point
  razorfs volume set /mnt/point quota=10G                 a property of the volume that is mounted there
  razorfs volume destroy /mnt/point try                   and all that is in it

A store has the volume main from the beginning.`;

export function volumeCommand(): Command {
  return new Command('volume')
    .description('make, list and manage the volumes of a store')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(destroyCommand())
    .addCommand(renameCommand())
    .addCommand(getPropertiesCommand())
    .addCommand(setPropertiesCommand());
}

const onTarget = (name: string): Command =>
  new Command(name).argument(TARGET, TARGET_MEANING).option('--json', 'print the result as JSON');

function createCommand(): Command {
  return onTarget('create')
    .description('make a volume: an empty one, or a clone of a snapshot')
    .argument('<NAME>', 'its name')
    .option('--from <[VOL@]SNAPSHOT>', 'begin as this snapshot is')
    .action((target: string, name: string, options: OutputOptions & { readonly from?: string }) =>
      create(target, name, options.from, options),
    );
}

/** `razorfs clone`. */
export function cloneCommand(): Command {
  return onTarget('clone')
    .description('make a volume from a snapshot')
    .argument('<[VOL@]SNAPSHOT>', 'the snapshot')
    .argument('<NAME>', 'the name of the volume')
    .addHelpText('after', '\nThe same as: razorfs volume create MNT NAME --from SNAPSHOT')
    .action((target: string, from: string, name: string, options: OutputOptions) =>
      create(target, name, from, options),
    );
}

async function create(target: string, name: string, from: string | undefined, options: OutputOptions): Promise<void> {
  const volume = await onStore(target, 'volume create', { name, from });
  printResult(options, volume, [
    from === undefined ? `${name} is an empty volume` : `${name} is a volume, made from ${from}`,
  ]);
}

function listCommand(): Command {
  return onTarget('list')
    .description('list the volumes')
    .action(async (target: string, options: OutputOptions) => {
      const list = await onStore(target, 'volume list', {});
      const rows = list.volumes.map((volume) => [
        volume.name,
        formatTime(volume.createdMs),
        formatBytes(volume.dataBytes),
        formatCount(volume.inodes),
        formatCount(volume.snapshots),
        volume.origin ?? '',
        volume.mountPoint ?? '',
      ]);
      const heading = ['NAME', 'CREATED', ' DATA', ' INODES', ' SNAPSHOTS', 'MADE FROM', 'MOUNTED AT'];
      printResult(options, list, tableLines([heading, ...rows]));
    });
}

function destroyCommand(): Command {
  return onTarget('destroy')
    .description('destroy a volume that is not mounted, with everything in it')
    .argument('<NAME>', 'its name')
    .option('--snapshots', 'and its snapshots; without this, a volume that has some is refused')
    .action(async (target: string, name: string, options: OutputOptions & { readonly snapshots?: boolean }) => {
      const gone = await onStore(target, 'volume destroy', { name, snapshots: options.snapshots ?? false });
      const also = gone.snapshots.length === 0 ? '' : ` with ${formatNumberOf(gone.snapshots.length, 'snapshot')}`;
      printResult(options, gone, [`${name} is destroyed${also}; its space is given back in the background`]);
    });
}

function renameCommand(): Command {
  return onTarget('rename')
    .description('rename a volume, mounted or not')
    .argument('<NAME>', 'its name')
    .argument('<NEW>', 'its new name')
    .action(async (target: string, name: string, newName: string, options: OutputOptions) => {
      const renamed = await onStore(target, 'volume rename', { name, newName });
      printResult(options, renamed, [`${name} is called ${newName} now`]);
    });
}
