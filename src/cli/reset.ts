/**
 * `razorfs reset`: puts a volume back to blank, but for what persists.
 */
import { Command } from 'commander';
import { type OutputOptions, printResult } from './output.js';
import { onStore, TARGET, TARGET_MEANING } from './store-commands.js';

const HELP = `
The volume is put back to its snapshot "blank" in one step, with what is at its persisted paths carried over (razorfs
persist). What it was before stays as the snapshot old-root-TIME, by the volume's rule of retention, 30 days without one.
Programs that have files open there get ESTALE ("Stale file handle") and have to open them again.

Examples:
  razorfs persist status /mnt/root                    what would vanish
  razorfs reset /mnt/root
  razorfs reset /mnt/root --without /home/ana/Downloads
  ls /mnt/root/.razorfs/snapshots                     the old roots`;

interface ResetOptions extends OutputOptions {
  readonly volume?: string;
  readonly to?: string;
  readonly dropCaches?: boolean;
  readonly without?: string[];
  readonly forget?: boolean;
}

export function resetCommand(): Command {
  return new Command('reset')
    .description('put a volume back to blank, but for what persists')
    .argument(TARGET, TARGET_MEANING)
    .option('--volume <name>', 'the volume; otherwise the one mounted at MNT, or main')
    .option('--to <snapshot>', 'go back to this snapshot instead of "blank"')
    .option('--drop-caches', 'what persists as cache goes too')
    .option('--without <path...>', 'what is at these paths goes this time, though it persists')
    .option('--forget', 'do not keep the old root')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, options: ResetOptions) => {
      const { volume, to, dropCaches, without, forget } = options;
      const report = await onStore(target, 'reset', {
        volume,
        ...(to === undefined ? {} : { to }),
        dropCaches: dropCaches ?? false,
        without: without ?? [],
        forget: forget ?? false,
      });
      printResult(options, report, [
        `${report.volume} is as in the snapshot ${report.to}`,
        ...report.carried.map((path) => `kept: ${path}`),
        ...report.missing.map((path) => `nothing was at ${path}`),
        ...report.obstructed.map((path) => `not made, because something on the way is no directory: ${path}`),
        report.kept === null ? 'the old root is not kept' : `the old root is ${report.volume}@${report.kept}`,
        ...report.pruned.map((name) => `destroyed by the rule of retention: ${report.volume}@${name}`),
      ]);
    });
}
