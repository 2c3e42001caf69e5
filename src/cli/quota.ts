/**
 * `razorfs quota …`: limits what a directory and all below may take.
 */
import { Command, InvalidArgumentError } from 'commander';
import type { QuotaReport } from '../mount/commands/quotas.js';
import { mountedDirectory } from '../mount/mounted-directory.js';
import { parseSize } from '../volume/sizes.js';
import { type OutputOptions, printResult } from './output.js';
import { formatBytes, formatCount } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING, tableLines } from './store-commands.js';

const HELP = `
Examples:
  razorfs quota set /mnt/point/build --bytes 20G --inodes 500000
  razorfs quota set /data/project build --bytes 20G     in the volume main of a store
  razorfs quota set /mnt/point/build --inodes none      the limit of bytes stays
  razorfs quota list /mnt/point
  razorfs quota remove /mnt/point/build

What would exceed a quota is refused with EDQUOT ("Disk quota exceeded"). Files count with their sizes, whether they are sparse
or share data with snapshots; df shows what is left. Quotas cannot be nested. Moving files into a directory with a quota, or
out of it, copies them (mv does so by itself). The quota of a whole volume is one of its properties: razorfs volume set.`;

interface PlaceOptions extends OutputOptions {
  readonly volume?: string;
}

interface SetOptions extends PlaceOptions {
  readonly bytes?: number | 'none';
  readonly inodes?: number | 'none';
}

export function quotaCommand(): Command {
  return new Command('quota')
    .description('limit what directories may take')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .addCommand(setCommand())
    .addCommand(removeCommand())
    .addCommand(listCommand());
}

/** A command on a directory: on a mount, or by its path in a volume. */
const directoryCommand = (name: string): Command =>
  new Command(name)
    .argument('<DIR|MNT|STORE>', 'a directory on a mount; or with PATH, a mount point or a store')
    .argument('[PATH]', 'the path of the directory in its volume')
    .option('--volume <NAME>', 'the volume of a store; main without it')
    .option('--json', 'print the result as JSON');

interface Place {
  readonly target: string;
  readonly path: string;
}

function placeOf(target: string, path: string | undefined): Place {
  if (path !== undefined) return { target, path };
  const directory = mountedDirectory(target);
  return { target: directory.mountPoint, path: directory.path };
}

const NONE = 'none';
const isNone = (text: string): boolean => text === NONE;

function byteLimit(text: string): number | 'none' {
  const bytes = isNone(text) ? NONE : parseSize(text);
  if (bytes === undefined || bytes === 0) {
    throw new InvalidArgumentError('It is a number of bytes such as 500M or 20G, or none.');
  }
  return bytes;
}

function inodeLimit(text: string): number | 'none' {
  if (isNone(text)) return NONE;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It is a number of inodes, or none.');
  return Number(text);
}

function setCommand(): Command {
  return directoryCommand('set')
    .description('put a quota on a directory, or change its limits')
    .option('--bytes <SIZE>', 'how much its files may hold', byteLimit)
    .option('--inodes <N>', 'how many files and directories there may be, itself included', inodeLimit)
    .action(async (given: string, inVolume: string | undefined, options: SetOptions) => {
      const { target, path } = placeOf(given, inVolume);
      const { volume, bytes, inodes } = options;
      const quota = await onStore(target, 'quota set', { volume, path, bytes, inodes });
      printResult(options, quota, [
        `${quota.path} may take ${limitsOf(quota)}; it has ${formatBytes(quota.bytesUsed)} in ${formatCount(quota.inodesUsed)}`,
      ]);
    });
}

function limitsOf({ bytesMax, inodesMax }: QuotaReport): string {
  const limits = [
    ...(bytesMax === null ? [] : [formatBytes(bytesMax)]),
    ...(inodesMax === null ? [] : [`${formatCount(inodesMax)} inodes`]),
  ];
  return limits.join(' and ');
}

function removeCommand(): Command {
  return directoryCommand('remove')
    .description('take the quota of a directory away; what is in it stays')
    .action(async (given: string, inVolume: string | undefined, options: PlaceOptions) => {
      const { target, path } = placeOf(given, inVolume);
      const removed = await onStore(target, 'quota remove', { volume: options.volume, path });
      printResult(options, removed, [`${removed.path} has no quota any more`]);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('list what a volume uses, and the quotas of its directories')
    .argument(TARGET, TARGET_MEANING)
    .argument('[VOL]', 'a volume; without it, the one mounted at MNT, or main')
    .option('--json', 'print the result as JSON')
    .action(async (target: string, volume: string | undefined, options: OutputOptions) => {
      const list = await onStore(target, 'quota list', { volume });
      const rows = list.quotas.map(({ path, bytesUsed, bytesMax, inodesUsed, inodesMax }) => [
        path,
        formatBytes(bytesUsed),
        bytesMax === null ? '-' : formatBytes(bytesMax),
        formatCount(inodesUsed),
        inodesMax === null ? '-' : formatCount(inodesMax),
      ]);
      printResult(options, list, tableLines([['PATH', ' DATA', ' LIMIT', ' INODES', ' LIMIT'], ...rows]));
    });
}
