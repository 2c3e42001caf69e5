/**
 * `razorfs scrub MNT`: has the serving process read and check the whole store in the background, and waits for the result.
 */
import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { ControlClient } from '../mount/control-client.js';
import { MountError } from '../mount/mount-error.js';
import { mountAt } from '../mount/mount-table.js';
import { mountPointPath, storePath } from '../mount/paths.js';
import type { ScrubFinding, ScrubStatus } from '../volume/scrub.js';
import { bytesPerSecond } from './arguments.js';
import { EXIT } from './exit-codes.js';
import { type OutputOptions, printResult } from './output.js';
import { formatBytes, formatCount, formatDuration } from './quantities.js';

interface ScrubOptions extends OutputOptions {
  readonly rate: number;
  readonly stop?: boolean;
}

const LOOK_INTERVAL_MS = 200;
const RATE_DEFAULT = 64 * 1024 * 1024;

const HELP = `
Examples:
  razorfs scrub /mnt/point                 check everything, at no more than 64 MiB a second
  razorfs scrub /mnt/point --rate 500M     faster; --rate 0 as fast as it goes
  razorfs scrub /mnt/point --stop          end the one that runs

Checked are all pages of the tree, names, attributes and small files (by checksum), and that the data of large files can be read
to the end; large files have no checksums. Interrupting the command leaves the scrub running. What it finds is also in the log,
razorfs.log in the store. To mend damage, unmount and run: razorfsck --repair STORE`;

export function scrubCommand(): Command {
  return new Command('scrub')
    .description('read and check the whole store while it is mounted')
    .argument('<MNT>', 'the mount point (or the store)')
    .option(
      '--rate <BYTES>',
      'read at most this much a second: 500K, 64M, 1G; 0 for no limit',
      bytesPerSecond,
      RATE_DEFAULT,
    )
    .option('--stop', 'end the scrub that runs')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(scrub);
}

async function scrub(target: string, options: ScrubOptions): Promise<void> {
  const store = mountAt(mountPointPath(target))?.source ?? storePath(target);
  const client = await ControlClient.connect(store);
  if (client === undefined) {
    throw new MountError(
      'not-mounted',
      `${target} is not mounted.`,
      `To check a store that is not: razorfsck ${store}`,
    );
  }
  try {
    const status = options.stop ? await client.scrub({ command: 'scrub-stop' }) : await runToTheEnd(client, options);
    if (status === null || status === undefined) {
      throw new MountError('no-answer', options.stop ? 'No scrub runs.' : 'The mount ended before the scrub did.', '');
    }
    printResult(options, status, [...status.findings.map(findingLine), summary(status)]);
    process.exitCode = status.problems > 0 ? EXIT.store : EXIT.success;
  } finally {
    client.close();
  }
}

/** Begins a scrub, or joins the one that runs, and shows how far it is where somebody watches. */
async function runToTheEnd(client: ControlClient, options: ScrubOptions): Promise<ScrubStatus | null | undefined> {
  let status = await client.scrub({ command: 'scrub', bytesPerSecond: options.rate });
  const isWatched = process.stderr.isTTY && !options.json;
  while (status?.state === 'running') {
    if (isWatched) {
      process.stderr.write(`\r${Math.floor(status.progress * 100)}%, ${formatBytes(status.bytes)} read\x1b[K`);
    }
    await setTimeout(LOOK_INTERVAL_MS);
    status = await client.scrub({ command: 'scrub-status' });
  }
  if (isWatched) {
    process.stderr.write('\r\x1b[K');
  }
  return status;
}

const findingLine = ({ where, problem, ino }: ScrubFinding): string =>
  `error: ${where}: ${problem}${ino > 0 ? ` (of inode ${ino}; find MNT -inum ${ino} shows its name)` : ''}`;

function summary(status: ScrubStatus): string {
  const read = `${formatCount(status.inodes)} inodes, ${formatBytes(status.bytes)} read in ${formatDuration(status.milliseconds)}`;
  if (status.problems > 0) {
    return `${read}: ${formatCount(status.problems)} problems. Restore what is damaged from a backup, or unmount and run razorfsck --repair.`;
  }
  return status.state === 'stopped' ? `${read}, then stopped; nothing wrong so far` : `${read}: OK`;
}
