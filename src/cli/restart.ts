/**
 * `razorfs restart MNT`: puts a new serving process, of the code as it is now, in the place of the present one.
 */
import { Command } from 'commander';
import { restart } from '../mount/restart.js';
import { type OutputOptions, printResult } from './output.js';
import { formatDuration } from './quantities.js';

const HELP = `
Examples:
  razorfs restart /mnt/point      after an update of RazorFS: the new version serves, nothing is unmounted

Programs that use the mount see a pause of some tenths of a second: open files, directory streams, locks and files without a
name stay as they are.`;

export function restartCommand(): Command {
  return new Command('restart')
    .description('put a new serving process in place without unmounting')
    .argument('<MNT>', 'the mount point (or the store)')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, options: OutputOptions) => {
      const report = await restart(target);
      printResult(options, report, [
        `${report.mountPoint} is served by process ${report.pid} now, after ${formatDuration(report.milliseconds)}`,
      ]);
    });
}
