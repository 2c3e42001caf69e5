/**
 * `razorfs send`: writes a snapshot as a stream.
 */
import { Command } from 'commander';
import { StoreError } from '../errors/store-error.js';
import type { SendArgs, SendProgress } from '../mount/commands/transfer.js';
import { EXIT } from './exit-codes.js';
import { ProgressLine } from './progress-line.js';
import { formatBytes } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING } from './store-commands.js';

const HELP = `
Examples:
  razorfs send /mnt/point monday > monday.rzfs                   all of a snapshot
  razorfs send /mnt/point --from monday tuesday > tuesday.rzfs   what has changed since another
  razorfs send /mnt/point monday | ssh host razorfs receive /backup/store --volume work
  razorfs send /mnt/point --resume TOKEN | ssh host razorfs receive /backup/store

A stream has files of all types with their data, holes, names, attributes, times and extended attributes. Quotas do not travel. It is
checksummed, and a receiver that does not get all of it stays as it was.`;

interface SendOptions {
  readonly from?: string;
  readonly resume?: string;
}

export function sendCommand(): Command {
  return new Command('send')
    .description('write a snapshot, or what has changed since another, as a stream')
    .argument(TARGET, TARGET_MEANING)
    .argument('[[VOL@]NAME]', 'the snapshot to send')
    .option('--from <name>', 'only what has changed since this snapshot, which the receiver has')
    .option('--resume <token>', 'go on with a stream that broke: `razorfs receive --token` tells the token')
    .addHelpText('after', HELP)
    .action(async (target: string, snapshot: string | undefined, options: SendOptions, command: Command) => {
      const args = argsOf(snapshot, options, command);
      if (process.stdout.isTTY) {
        throw new StoreError(
          'bad-stream',
          'A stream is not for a terminal.',
          'Write it to a file or into a pipe: > FILE',
        );
      }
      const line = new ProgressLine();
      const failure = new Promise<never>((_, reject) => process.stdout.once('error', reject));
      failure.catch(() => undefined);
      const result = await onStore(target, 'send', args, {
        output: (bytes) => Promise.race([write(bytes), failure]),
        progress: (report) => line.show(`${formatBytes((report as SendProgress).bytes)} sent`),
      });
      line.end(`${result.name}: ${formatBytes(result.bytes)} sent`);
      process.exitCode = EXIT.success;
    });
}

function argsOf(snapshot: string | undefined, { from, resume }: SendOptions, command: Command): SendArgs {
  if (resume !== undefined) {
    if (snapshot !== undefined || from !== undefined) command.error('error: a token says what is to be sent');
    return { token: resume };
  }
  return { snapshot: snapshot ?? command.error("error: missing required argument 'NAME'"), from };
}

/** Resolves when there is room for more. */
function write(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(bytes)) resolve();
    else process.stdout.once('drain', () => resolve());
  });
}
