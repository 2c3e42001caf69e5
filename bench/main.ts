/**
 * `npm run bench -- scale|compare`: the command line of the benches.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { prepareClient } from './client.js';
import { describeHost } from './host.js';
import { ROOT } from './root.js';
import { type Layout, measureScale } from './scale.js';
import { scaleTable } from './scale-report.js';

interface CommonOptions {
  readonly directory: string;
  readonly quick?: boolean;
  readonly json?: string;
}

interface ScaleCommandOptions extends CommonOptions {
  readonly files?: readonly number[];
  readonly fileBytes: number;
  readonly layout?: Layout;
}

/** A full log is just below what brings a checkpoint. */
const FULL_LOG_BYTES = 52 * 1024 * 1024;
const QUICK_LOG_BYTES = 1024 * 1024;

/** 10000, 10k, 1M, or several with commas. */
function sizes(text: string): number[] {
  return text.split(',').map((part) => {
    const [, digits, unit] = /^(\d+)([kM]?)$/.exec(part) ?? [];
    if (digits === undefined) throw new InvalidArgumentError('a number such as 10000, 100k or 1M is needed');
    return Number(digits) * (unit === 'M' ? 1e6 : unit === 'k' ? 1e3 : 1);
  });
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

function withCommonOptions(command: Command): Command {
  return command
    .option('--directory <DIR>', 'where stores and mount points are made', path.join(ROOT, 'build/bench-work'))
    .option('--quick', 'a run of seconds, to see that everything works; its figures say little')
    .option('--json <FILE>', 'write all figures to a file');
}

async function prepare(options: CommonOptions): Promise<string> {
  mkdirSync(options.directory, { recursive: true });
  await prepareClient();
  return describeHost(options.directory);
}

function finish(options: CommonOptions, results: object, markdown: string): void {
  process.stdout.write(`${markdown}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
}

const scale = withCommonOptions(new Command('scale'))
  .description('cost as the number of files grows')
  .option('--files <N,…>', 'numbers of files, ascending: 10k,100k,1M', sizes)
  .option('--file-bytes <N>', 'the size of each file, a multiple of 8', Number, 0)
  .option('--layout <LAYOUT>', "only 'one directory', or only 'tree'")
  .action(async (options: ScaleCommandOptions) => {
    const host = await prepare(options);
    const layouts: Layout[] = options.layout === undefined ? ['one directory', 'tree'] : [options.layout];
    const figures = [];
    for (const layout of layouts) {
      const measured = await measureScale(
        {
          directory: options.directory,
          sizes: options.files ?? (options.quick ? [1000, 3000] : [10_000, 100_000, 1_000_000]),
          probes: options.quick ? 300 : 20_000,
          fileBytes: options.fileBytes,
          logBytes: options.quick ? QUICK_LOG_BYTES : FULL_LOG_BYTES,
          progress,
        },
        layout,
      );
      figures.push(measured);
    }
    finish(options, { host, figures }, `${host}\n\n${figures.map(scaleTable).join('\n\n')}`);
  });

await new Command('bench').addCommand(scale).parseAsync();
