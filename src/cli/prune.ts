/**
 * `razorfs prune`: destroys snapshots by a rule of retention.
 */
import { Command } from 'commander';
import type { PruneReport } from '../mount/commands/prune.js';
import { type OutputOptions, printResult } from './output.js';
import { formatNumberOf, formatTime } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING, tableLines } from './store-commands.js';

const HELP = `
Rules add up: a snapshot goes when none of them keeps it. Without any, the rule of the volume counts
(razorfs volume set MNT retention=daily=7,within=30d). Held snapshots and the snapshot "blank" always stay. Hours, days,
weeks and months are those of UTC.

Examples:
  razorfs prune /mnt/point --keep-last 10 --keep-within 30d --dry-run
  razorfs prune /mnt/point --keep-hourly 24 --keep-daily 7 --keep-weekly 4 --keep-monthly 12
  razorfs prune /data/project --volume work               by the volume's own rule`;

/** Options, and the parts of a rule that they stand for. */
const RULES = {
  keepLast: 'last',
  keepHourly: 'hourly',
  keepDaily: 'daily',
  keepWeekly: 'weekly',
  keepMonthly: 'monthly',
  keepWithin: 'within',
} as const;

type RuleOptions = { readonly [Option in keyof typeof RULES]?: string };

interface PruneOptions extends OutputOptions, RuleOptions {
  readonly volume?: string;
  readonly dryRun?: boolean;
  readonly automatic?: boolean;
}

export function pruneCommand(): Command {
  return new Command('prune')
    .description('destroy the snapshots that a rule of retention does not keep')
    .argument(TARGET, TARGET_MEANING)
    .option('--volume <name>', 'the volume; otherwise the one mounted at MNT, or main')
    .option('--keep-last <n>', 'keep the n newest')
    .option('--keep-hourly <n>', 'keep the newest of each of the last n hours that have one')
    .option('--keep-daily <n>', 'likewise of days')
    .option('--keep-weekly <n>', 'likewise of weeks, from Monday')
    .option('--keep-monthly <n>', 'likewise of months')
    .option('--keep-within <age>', 'keep all that are younger: 36h, 30d, 8w, 1y')
    .option('--automatic', 'look only at snapshots that were taken on an interval, or kept by a reset or a rollback')
    .option('--dry-run', 'show what would be destroyed, and destroy nothing')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, options: PruneOptions) => {
      const report = await onStore(target, 'prune', {
        volume: options.volume,
        rule: ruleFrom(options),
        isDryRun: options.dryRun ?? false,
        onlyAutomatic: options.automatic ?? false,
      });
      printResult(options, report, linesOf(report));
    });
}

function ruleFrom(options: RuleOptions): string | undefined {
  const names = Object.keys(RULES) as (keyof typeof RULES)[];
  const parts = names.flatMap((name) => (options[name] === undefined ? [] : [`${RULES[name]}=${options[name]}`]));
  return parts.length === 0 ? undefined : parts.join(',');
}

function linesOf({ snapshots, destroyed, isDryRun }: PruneReport): string[] {
  const rows = snapshots.map(({ name, createdMs, keptBy }) => [
    name,
    formatTime(createdMs),
    keptBy.length === 0 ? (isDryRun ? 'would be destroyed' : 'destroyed') : `kept: ${keptBy.join(', ')}`,
  ]);
  const verb = isDryRun ? 'would be destroyed' : 'destroyed';
  const summary = `${formatNumberOf(destroyed, 'snapshot')} of ${snapshots.length} ${verb}`;
  return rows.length === 0 ? ['There are no snapshots.'] : [...tableLines([['NAME', 'CREATED', ''], ...rows]), summary];
}
