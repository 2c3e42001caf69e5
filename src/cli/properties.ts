/**
 * `razorfs volume get` and `razorfs volume set`: the properties of volumes.
 */
import { Command, InvalidArgumentError } from 'commander';
import type { PropertiesReport } from '../mount/commands/properties.js';
import { PROPERTIES, PROPERTY_NAMES } from '../volume/properties.js';
import { type OutputOptions, printResult } from './output.js';
import { onStore, TARGET, TARGET_MEANING, tableLines } from './store-commands.js';

interface PropertyOptions extends OutputOptions {
  readonly volume?: string;
  readonly defaults?: boolean;
}

const NAMES = `
Properties:
${PROPERTY_NAMES.map((name) => `  ${name.padEnd(19)}${PROPERTIES[name].meaning}`).join('\n')}

atime and durability take effect when the volume is mounted next, unless -o or --durability says otherwise.`;

const SET_EXAMPLES = `
Examples:
  razorfs volume set /mnt/point quota=10G retention=daily=7,within=30d
  razorfs volume set /data/project --volume work durability=sync
  razorfs volume set /data/project --volume work durability=          as the store's defaults say, again
  razorfs volume set /data/project --defaults snapshot-interval=1h    for all volumes that have none of their own`;

const onProperties = (name: string): Command =>
  new Command(name)
    .argument(TARGET, TARGET_MEANING)
    .option('--volume <NAME>', 'the volume (default: the one mounted at MNT, or main)')
    .option('--defaults', 'the defaults of the store, which volumes inherit')
    .option('--json', 'print the result as JSON');

export function getPropertiesCommand(): Command {
  return onProperties('get')
    .description('show properties, and where each comes from')
    .argument('[NAME...]', 'only these')
    .addHelpText('after', NAMES)
    .action(async (target: string, names: readonly string[], options: PropertyOptions) => {
      const { volume, defaults = false } = options;
      print(await onStore(target, 'volume get', { volume, defaults, names }), options);
    });
}

export function setPropertiesCommand(): Command {
  return onProperties('set')
    .description('set properties')
    .argument('<NAME=VALUE...>', 'what to set; with nothing after =, it is set no more', addAssignment)
    .addHelpText('after', `${NAMES}\n${SET_EXAMPLES}`)
    .action(async (target: string, changes: Readonly<Record<string, string>>, options: PropertyOptions) => {
      const { volume, defaults = false } = options;
      print(await onStore(target, 'volume set', { volume, defaults, changes }), options);
    });
}

function addAssignment(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Write NAME=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function print(report: PropertiesReport, options: OutputOptions): void {
  const rows = report.properties.map(({ name, value, source }) => [name, value, source]);
  printResult(options, report, tableLines([['NAME', 'VALUE', 'SOURCE'], ...rows]));
}
