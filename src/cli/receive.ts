/**
 * `razorfs receive`: makes a snapshot of a stream.
 */
import { Command } from 'commander';
import { StoreError } from '../errors/store-error.js';
import type { ReceiveProgress } from '../mount/commands/transfer.js';
import { type OutputOptions, printResult } from './output.js';
import { ProgressLine } from './progress-line.js';
import { formatBytes, formatNumberOf } from './quantities.js';
import { onStore, TARGET, TARGET_MEANING } from './store-commands.js';

const HELP = `
Examples:
  razorfs receive /backup/store --volume work < monday.rzfs   a whole snapshot makes a new volume
  razorfs receive /backup/store < tuesday.rzfs                changes go to the volume that has the snapshot that they build on
  razorfs receive /backup/store --resumable < monday.rzfs     what has come stays when the stream breaks
  razorfs receive /backup/store --token                       how to go on with those that broke

The volume comes to be what was sent, with a snapshot of it, in one step at the end. When the stream is damaged, or ends too early, all
stays as it was. A volume that was changed since the snapshot that the stream builds on is refused, unless --force gives up the changes.`;

interface ReceiveOptions extends OutputOptions {
  readonly volume?: string;
  readonly resumable?: boolean;
  readonly force?: boolean;
  readonly token?: boolean;
  readonly discard?: boolean;
}

export function receiveCommand(): Command {
  return new Command('receive')
    .description('receive a snapshot from a stream')
    .argument(TARGET, TARGET_MEANING)
    .option(
      '--volume <name>',
      'the volume that gets the snapshot; the name that it has at the sender, unless told otherwise',
    )
    .option('--resumable', 'keep what has come when the stream breaks')
    .option('--force', 'give up what was changed in the volume since')
    .option('--token', 'receive nothing: list what broke, with the tokens for `razorfs send --resume`')
    .option('--discard', 'receive nothing: give up what broke, and its space')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string, options: ReceiveOptions) => {
      if (options.token) await listTokens(target, options);
      else if (options.discard) await discard(target, options);
      else await receive(target, options);
    });
}

async function receive(target: string, options: ReceiveOptions): Promise<void> {
  if (process.stdin.isTTY) {
    throw new StoreError(
      'bad-stream',
      'A stream does not come from a terminal.',
      'Read it from a file or a pipe: < FILE',
    );
  }
  const line = new ProgressLine();
  const { volume, resumable = false, force = false } = options;
  const result = await onStore(
    target,
    'receive',
    { volume, resumable, force },
    {
      input: process.stdin,
      progress: (report) => {
        const { bytes, snapshot } = report as ReceiveProgress;
        line.show(`${snapshot}: ${formatBytes(bytes)} received`);
      },
    },
  );
  line.show('');
  printResult(options, result, [`${result.name} is received`]);
}

async function listTokens(target: string, options: ReceiveOptions): Promise<void> {
  const list = await onStore(target, 'receive list', {});
  const lines = list.unfinished.map(({ volume, snapshot, token }) =>
    token === null
      ? `${volume}@${snapshot}  broke too early: send it again from the beginning`
      : `${volume}@${snapshot}  ${token}`,
  );
  printResult(options, list, lines.length === 0 ? ['There is nothing to go on with.'] : lines);
}

async function discard(target: string, options: ReceiveOptions): Promise<void> {
  const result = await onStore(target, 'receive discard', {});
  printResult(options, result, [`${formatNumberOf(result.discarded, 'unfinished reception')} given up`]);
}
