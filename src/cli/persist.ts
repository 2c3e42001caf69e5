/**
 * `razorfs persist …`: says what survives a reset, and what would not.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { StoreError } from '../errors/store-error.js';
import type { PersistenceReport, PersistenceStatus } from '../mount/commands/persistence.js';
import { type OutputOptions, printResult } from './output.js';
import { formatBytes, formatNumberOf } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING, tableLines } from './store-commands.js';

const HELP = `
A reset (razorfs reset, or mounting with --reset-on-mount) puts a volume back to its snapshot "blank", but for what is at
the persisted paths: whatever is there at that time, a file that was replaced as well.

Examples:
  razorfs snapshot create /mnt/root blank
  razorfs persist add /mnt/root /etc/ssh /var/log /home/ana/Documents
  razorfs persist add /mnt/root /var/cache --cache
  razorfs persist add /mnt/root /srv/data --directory --owner 1000:1000 --mode 0750
  razorfs persist add /mnt/root --file persist.json
  razorfs persist status /mnt/root
  razorfs reset /mnt/root

A file of rules:
  {"data": ["/etc/machine-id", {"path": "/srv/data", "directory": true, "owner": "1000:1000", "mode": "0750"}],
   "cache": ["/var/cache"]}`;

/** Lines of a status before the rest is only counted. */
const VANISHING_SHOWN = 20;

interface VolumeOptions extends OutputOptions {
  readonly volume?: string;
}

interface AddOptions extends VolumeOptions {
  readonly cache?: boolean;
  readonly directory?: boolean;
  readonly owner?: string;
  readonly mode?: string;
  readonly file?: string;
  readonly replace?: boolean;
}

export function persistCommand(): Command {
  return new Command('persist')
    .description('say what survives a reset, and see what would not')
    .helpCommand(false)
    .addHelpText('after', HELP)
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addCommand(listCommand())
    .addCommand(statusCommand());
}

const below = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .argument(TARGET, TARGET_MEANING)
    .option('--volume <name>', 'the volume; otherwise the one mounted at MNT, or main')
    .option('--json', 'print the result as JSON');

/** A path as users name it, below the mount point or from the volume's root, as one from the volume's root. */
function inVolume(target: string, name: string): string {
  const relative = path.relative(path.resolve(target), path.resolve(name));
  const isBelow = relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
  return isBelow && path.isAbsolute(name) ? `/${relative}` : name;
}

function readRules(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError(
      'bad-property',
      `The rules in ${file} cannot be read: ${reason}.`,
      'See: razorfs persist --help',
    );
  }
}

function addCommand(): Command {
  return below('add', 'let what is at some paths survive resets')
    .argument('[PATH...]', 'paths below MNT, or from the root of the volume')
    .option('--cache', 'as cache: a reset may be asked to give it up (--drop-caches)')
    .option('--directory', 'a directory must exist there after a reset')
    .option('--owner <uid:gid>', 'with this owner')
    .option('--mode <mode>', 'with these permissions: 0755')
    .option('--file <rules.json>', 'read rules from a file; - for standard input')
    .option('--replace', 'in the place of all rules that there are')
    .action(async (target: string, paths: string[], options: AddOptions) => {
      const { directory, owner, mode, file } = options;
      if (paths.length === 0 && file === undefined) {
        throw new StoreError('bad-property', 'No path is given.', 'See: razorfs persist add --help');
      }
      const entries = paths.map((name) => {
        const place = inVolume(target, name);
        return directory || owner !== undefined || mode !== undefined
          ? {
              path: place,
              directory: true,
              ...(owner === undefined ? {} : { owner }),
              ...(mode === undefined ? {} : { mode }),
            }
          : place;
      });
      const rules = file === undefined ? { [options.cache ? 'cache' : 'data']: entries } : readRules(file);
      const report = await onStore(target, 'persist add', {
        volume: options.volume,
        rules,
        isAll: options.replace ?? false,
      });
      printResult(options, report, ruleLines(report));
    });
}

function removeCommand(): Command {
  return below('remove', 'let what is at some paths go with the next reset')
    .argument('<PATH...>', 'paths that were added')
    .action(async (target: string, paths: string[], options: VolumeOptions) => {
      const places = paths.map((name) => inVolume(target, name));
      const report = await onStore(target, 'persist remove', { volume: options.volume, paths: places });
      printResult(options, report, [`${formatNumberOf(report.removed, 'rule')} removed`, ...ruleLines(report)]);
    });
}

function listCommand(): Command {
  return below('list', 'list what persists').action(async (target: string, options: VolumeOptions) => {
    const report = await onStore(target, 'persist list', { volume: options.volume });
    printResult(options, report, ruleLines(report));
  });
}

function ruleLines({ rules }: PersistenceReport): string[] {
  const rows = (['data', 'cache'] as const).flatMap((name) =>
    rules[name].map((rule) => {
      if (typeof rule === 'string') return [rule, name, ''];
      const { path: place, owner, mode } = rule as { path: string; owner: string; mode: string };
      return [place, name, `directory, ${owner}, ${mode}`];
    }),
  );
  return rows.length === 0 ? ['Nothing persists.'] : tableLines([['PATH', 'CLASS', 'MUST EXIST'], ...rows]);
}

function statusCommand(): Command {
  return below('status', 'show what a reset would take away now, the largest first')
    .option('--to <snapshot>', 'compare with this snapshot', 'blank')
    .option('--all', 'show all of it')
    .action(async (target: string, options: VolumeOptions & { to: string; all?: boolean }) => {
      const status = await onStore(target, 'persist status', { volume: options.volume, to: options.to });
      printResult(options, status, statusLines(status, options.all === true));
    });
}

const MEANINGS = { added: 'vanishes', removed: 'comes back', modified: 'is as before' } as const;

function statusLines({ vanishing, vanishingBytes, persisted }: PersistenceStatus, isAll: boolean): string[] {
  const shown = isAll ? vanishing : vanishing.slice(0, VANISHING_SHOWN);
  const rows = shown.map(({ path: place, change, isDirectory, files, bytes }) => [
    formatBytes(bytes),
    isDirectory ? formatNumberOf(files, 'file') : '',
    place,
    MEANINGS[change],
  ]);
  const missing = persisted.filter(({ exists }) => !exists).map(({ path: place }) => place);
  return [
    ...(rows.length === 0
      ? ['A reset would change nothing.']
      : tableLines([[' SIZE', ' FILES', 'PATH', 'AFTER A RESET'], ...rows])),
    ...(shown.length < vanishing.length ? [`… and ${vanishing.length - shown.length} more (--all)`] : []),
    ...(vanishingBytes === 0 ? [] : [`${formatBytes(vanishingBytes)} would vanish`]),
    `${formatNumberOf(persisted.length, 'path persists', 'paths persist')}`,
    ...missing.map((place) => `nothing is at ${place}`),
  ];
}
