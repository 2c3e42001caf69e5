/**
 * `razorfs umount MNT`: unmounts and returns when the store is clean. Clears dead mounts too.
 */
import { Command } from 'commander';
import { type UnmountReport, unmount } from '../mount/unmount.js';
import { type OutputOptions, printResult } from './output.js';

interface UmountOptions extends OutputOptions {
  readonly lazy?: boolean;
}

const HELP = `
Examples:
  razorfs umount /mnt/point            unmount, and wait until the store is clean
  razorfs umount /data/project         the same for all mounts of a store
  razorfs umount --lazy /mnt/point     although it is in use: out of sight now, ended with its last user

umount(8) and fusermount3 -u work as well; they return before the daemon has finished. A dead mount, which a killed
daemon left behind ("Transport endpoint is not connected"), is cleared by the same command.`;

export function umountCommand(): Command {
  return new Command('umount')
    .alias('unmount')
    .description('unmount, and wait until the store is clean')
    .argument('<MNT>', 'the mount point (or the store)')
    .option('-l, --lazy', 'unmount although it is in use')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, options: UmountOptions) => {
      const report = await unmount(target, options.lazy ?? false);
      printResult(options, report, [sentence(report)]);
    });
}

function sentence(report: UnmountReport): string {
  const all = report.mountPoints.join(', ');
  switch (report.outcome) {
    case 'clean':
      return `${all} ${report.mountPoints.length === 1 ? 'is' : 'are'} unmounted; its store ${report.store} is clean`;
    case 'left':
      return `${report.mountPoint} is unmounted; its store ${report.store} has other mounts`;
    case 'detached':
      return `${report.mountPoint} is out of sight; its store ${report.store} stays in use until the last user is gone`;
    case 'cleared':
      return `${report.mountPoint} was a dead mount and is cleared; the next mount recovers its store ${report.store}`;
  }
}
