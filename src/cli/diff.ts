/**
 * `razorfs diff`: what has changed between two states of a volume.
 */
import { Command } from 'commander';
import type { ChangeReport } from '../mount/commands/diff.js';
import { changeLine, DiffStat, patchOf, statLine } from './diff-lines.js';
import { EXIT_OF_DIFF } from './exit-codes.js';
import { printError } from './output.js';
import { onStore, TARGET, TARGET_MEANING } from './store-commands.js';

const HELP = `
A and B are snapshots, [VOL@]NAME, or volumes as they are now. Without B, A is compared with what its volume is now.

  +  added     -  removed     M  modified     R  renamed     T  now a file of another type

Modified is what differs in data, mode, owner, group, mtime or extended attributes. Times of reading do not count.

Examples:
  razorfs diff /mnt/point monday                       what has changed since
  razorfs diff /mnt/point monday tuesday --path src    between two snapshots, below src
  razorfs diff /mnt/point monday --patch               the changed lines of text files
  razorfs diff /data/project work@monday --stat        of the volume work of a store, with sizes

It exits with 0 when there are no changes, with 1 when there are, and with 2 when it fails, as diff(1) does. The time it takes grows
with the number of changes, and not with the number of files.`;

interface DiffOptions {
  readonly json?: boolean;
  readonly stat?: boolean;
  readonly patch?: boolean;
  readonly path?: string;
}

export function diffCommand(): Command {
  return new Command('diff')
    .description('show what has changed between two states of a volume')
    .argument(TARGET, TARGET_MEANING)
    .argument('<A>', 'the earlier state')
    .argument('[B]', 'the later state')
    .option('--path <path>', 'only what is at this path of the volume, and below it')
    .option('--stat', 'with sizes, and counts at the end')
    .option('--patch', 'with the changed lines of text files')
    .option('--json', 'print each change as a JSON object on a line of its own')
    .addHelpText('after', HELP)
    .action(async (target: string, before: string, after: string | undefined, options: DiffOptions) => {
      try {
        process.exitCode = (await show(target, before, after, options)) ? EXIT_OF_DIFF.different : EXIT_OF_DIFF.same;
      } catch (error) {
        printError(options.json === undefined ? {} : { json: options.json }, error);
        process.exitCode = EXIT_OF_DIFF.trouble;
      }
    });
}

/** Returns whether there are changes. */
async function show(target: string, before: string, after: string | undefined, options: DiffOptions): Promise<boolean> {
  const { path, patch = false, json = false, stat = false } = options;
  const changes: ChangeReport[] = [];
  const totals = new DiffStat();
  const output = async (line: string): Promise<void> => {
    if (json && !stat) {
      await print(`${line}\n`);
      return;
    }
    const report: ChangeReport = JSON.parse(line);
    totals.add(report);
    if (!json) changes.push(report);
  };
  const lines = new LineSplitter(output);
  const args = { before, after, path, texts: patch };
  const result = await onStore(target, 'diff', args, { output: (bytes) => lines.add(bytes) });
  if (json) {
    if (stat) await print(`${JSON.stringify({ ...totals.counts, growth: totals.growth })}\n`);
    return result.changes > 0;
  }
  changes.sort((a, b) => (a.path.text < b.path.text ? -1 : a.path.text > b.path.text ? 1 : 0));
  for (const change of changes) {
    await print(`${stat ? statLine(change) : changeLine(change)}\n`);
    if (patch) await print(patchOf(change), 'latin1');
  }
  if (stat) await print(`${totals.line}\n`);
  return result.changes > 0;
}

/** Waits while whoever reads the output has not kept up. */
function print(text: string, encoding: BufferEncoding = 'utf8'): Promise<void> | void {
  if (text === '' || process.stdout.write(text, encoding)) return;
  return new Promise((resolve) => process.stdout.once('drain', () => resolve()));
}

/** Puts chunks of output together to lines. */
class LineSplitter {
  readonly #onLine: (line: string) => Promise<void>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onLine: (line: string) => Promise<void>) {
    this.#onLine = onLine;
  }

  async add(bytes: Uint8Array): Promise<void> {
    const all = Buffer.concat([this.#rest, bytes]);
    let from = 0;
    for (let end = all.indexOf('\n'); end >= 0; end = all.indexOf('\n', from)) {
      await this.#onLine(all.toString('utf8', from, end));
      from = end + 1;
    }
    this.#rest = all.subarray(from);
  }
}
