/**
 * `razorfs rollback`: puts a volume, or a part of it, back into the state of a snapshot.
 */
import { Command } from 'commander';
import { type OutputOptions, printResult } from './output.js';
import { onStore, TARGET, TARGET_MEANING } from './store-commands.js';

interface RollbackOptions extends OutputOptions {
  readonly volume?: string;
  readonly path?: string;
  readonly keep: boolean;
  readonly keepAs?: string;
}

const HELP = `
Examples:
  razorfs rollback /mnt/point before-update               all of it, while it is mounted
  razorfs rollback /mnt/point before-update --path etc    the directory etc of it alone
  razorfs rollback /mnt/point before-update --no-keep     give up the present state

The present state stays as the snapshot before-rollback-TIME, pruned after 30 days unless the volume has another rule of
retention; one named with --keep-as stays until it is destroyed. Programs that have files of the replaced state open, or are
in its directories, get ESTALE ("Stale file handle"): cd again.`;

export function rollbackCommand(): Command {
  return new Command('rollback')
    .description('put a volume back into the state of a snapshot')
    .argument(TARGET, TARGET_MEANING)
    .argument('<[VOL@]SNAPSHOT>', 'the snapshot; without VOL, of the volume mounted at MNT, or of main')
    .option('--volume <NAME>', 'the volume, where the snapshot is named without it')
    .option('--path <PATH>', 'only what is at this path, from the root of the volume')
    .option('--no-keep', 'do not keep the present state')
    .option('--keep-as <NAME>', 'the name of the snapshot that keeps it')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, snapshot: string, options: RollbackOptions) => {
      const { volume, path, keep, keepAs } = options;
      const report = await onStore(target, 'rollback', { snapshot, volume, path, keep, keepAs });
      const what = report.path === '/' ? report.volume : `${report.path} of ${report.volume}`;
      const kept = report.kept === null ? '' : `; what was there before is ${report.volume}@${report.kept}`;
      printResult(options, report, [`${what} is as ${report.snapshot} has it${kept}`]);
    });
}
