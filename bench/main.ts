/**
 * `npm run bench -- scale|compare`: the command line of the benches.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { prepareClient } from './client.js';
import { FULL_AMOUNTS, FULL_APPLICATIONS, QUICK_AMOUNTS, QUICK_APPLICATIONS } from './compare/amounts.js';
import { compare } from './compare/compare.js';
import { compareTable, rangeTable, targetList } from './compare/report.js';
import { describeHost, dropKernelCache, keepCache } from './host.js';
import { comparePlot, scalePlot } from './plots.js';
import { ROOT } from './root.js';
import { type Layout, measureScale } from './scale.js';
import { scaleTable } from './scale-report.js';
import { hostTarget, RAZORFS, razorfsTarget } from './targets/own.js';
import { installedPeers } from './targets/peers.js';

interface CommonOptions {
  readonly directory: string;
  readonly quick?: boolean;
  readonly json?: string;
  readonly plots?: string;
}

interface ScaleCommandOptions extends CommonOptions {
  readonly files?: readonly number[];
  readonly fileBytes: number;
  readonly layout?: Layout;
}

interface CompareCommandOptions extends CommonOptions {
  readonly rounds?: number;
  readonly only?: readonly string[];
  readonly libfuseExamples?: string;
  readonly applications: boolean;
}

/** A full log is just below what brings a checkpoint. */
const FULL_LOG_BYTES = 52 * 1024 * 1024;
const QUICK_LOG_BYTES = 64 * 1024;

/** 10000, 10k, 1M, or several with commas. */
function sizes(text: string): number[] {
  return text.split(',').map((part) => {
    const [, digits, unit] = /^(\d+)([kM]?)$/.exec(part) ?? [];
    if (digits === undefined) throw new InvalidArgumentError('a number such as 10000, 100k or 1M is needed');
    return Number(digits) * (unit === 'M' ? 1e6 : unit === 'k' ? 1e3 : 1);
  });
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** Ctrl-C, once: unmounts, tidies up, and reports what there is. A second one ends at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      progress('interrupted: tidying up');
      controller.abort();
    });
  }
  return controller.signal;
}

const interrupted = interruption();

function withCommonOptions(command: Command): Command {
  return command
    .option('--directory <DIR>', 'where stores and mount points are made', path.join(ROOT, 'build/bench-work'))
    .option('--quick', 'a run of seconds, to see that everything works; its figures say little')
    .option('--json <FILE>', 'write all figures to a file')
    .option('--plots <DIR>', 'draw them, as SVG files in a directory');
}

async function prepare(options: CommonOptions): Promise<string> {
  mkdirSync(options.directory, { recursive: true });
  await prepareClient();
  return describeHost(options.directory);
}

function writePlot(directory: string, name: string, svg: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, `${name}.svg`), svg);
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
          dropCache: options.quick ? keepCache : dropKernelCache,
          interrupted,
          progress,
        },
        layout,
      );
      if (measured.length > 0) figures.push(measured);
    }
    if (options.plots !== undefined) writePlot(options.plots, 'scale', scalePlot(figures.flat()));
    finish(options, { host, figures }, `${host}\n\n${figures.map(scaleTable).join('\n\n')}`);
  });

const comparison = withCommonOptions(new Command('compare'))
  .description('RazorFS, the host and every peer that is installed, side by side')
  .option('--rounds <N>', 'how often everything is repeated', Number)
  .option('--only <NAME,…>', 'only these targets', (text) => text.split(','))
  .option(
    '--libfuse-examples <DIR>',
    "where built examples of libfuse are, for two peers in C that Debian doesn't have",
  )
  .option('--no-applications', 'without the rows of git, npm, tar, find, rm and sqlite')
  .action(async (options: CompareCommandOptions) => {
    const host = await prepare(options);
    const targets = [hostTarget, razorfsTarget, ...installedPeers(options.libfuseExamples)];
    const figures = await compare({
      directory: options.directory,
      targets: targets.filter(({ name }) => options.only?.includes(name) ?? true),
      rounds: options.rounds ?? (options.quick ? 1 : 5),
      amounts: options.quick ? QUICK_AMOUNTS : FULL_AMOUNTS,
      applications: options.applications ? (options.quick ? QUICK_APPLICATIONS : FULL_APPLICATIONS) : undefined,
      dropCache: options.quick ? keepCache : dropKernelCache,
      interrupted,
      progress,
    });
    const markdown = [host, compareTable(figures), rangeTable(figures), targetList(figures)].join('\n\n');
    if (options.plots !== undefined) writePlot(options.plots, 'compare', comparePlot(figures));
    finish(options, { host, figures }, markdown);
    if (figures.some(({ name, failures }) => name === RAZORFS && failures.length > 0)) process.exitCode = 1;
  });

await new Command('bench').addCommand(scale).addCommand(comparison).parseAsync();
