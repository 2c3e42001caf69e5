/**
 * `npm run bench -- compare|scale|requests|snapshots`: the command line of the benches.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { prepareClient } from './client.js';
import { FULL_AMOUNTS, FULL_APPLICATIONS, QUICK_AMOUNTS, QUICK_APPLICATIONS } from './compare/amounts.js';
import { compare } from './compare/compare.js';
import { comparePlot } from './compare/plot.js';
import { compareTable, historyRow, rangeTable, targetList } from './compare/report.js';
import { describeHost, dropKernelCache, keepCache } from './host.js';
import { countRequests, requestTable } from './requests.js';
import { ROOT } from './root.js';
import { scalePlot } from './scale/plot.js';
import { scaleTable } from './scale/report.js';
import { type Layout, measureScale } from './scale/scale.js';
import { measureSnapshots, snapshotsTable } from './snapshots.js';
import { fuseNativeTargets } from './targets/fuse-native.js';
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
  readonly applicationRounds?: number;
}

/** How long short records are written to a log before longer ones fill it. */
const RENAME_MS = 5000;
const QUICK_RENAME_MS = 100;
/** How long `diff -r` may take beside a comparison of snapshots. */
const DIFF_MS_MAX = 5 * 60_000;

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

const DIRECTORY = path.join(ROOT, 'build/bench-work');
const DIRECTORY_HELP = 'where stores and mount points are made';
const QUICK_HELP = 'a run of seconds, to see that everything works; its figures say little';
const JSON_HELP = 'write all figures to a file';

function withCommonOptions(command: Command): Command {
  return command
    .option('--directory <DIR>', DIRECTORY_HELP, DIRECTORY)
    .option('--quick', QUICK_HELP)
    .option('--json <FILE>', JSON_HELP)
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
          renameMs: options.quick ? QUICK_RENAME_MS : RENAME_MS,
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
  .option('--application-rounds <N>', 'in how many of them the rows of git, npm, tar, find, rm and sqlite', Number)
  .action(async (options: CompareCommandOptions) => {
    const host = await prepare(options);
    const targets = [hostTarget, razorfsTarget, ...fuseNativeTargets(), ...installedPeers(options.libfuseExamples)];
    const rounds = options.rounds ?? (options.quick ? 1 : 5);
    const figures = await compare({
      directory: options.directory,
      targets: targets.filter(({ name }) => options.only?.includes(name) ?? true),
      rounds,
      applicationRounds: options.applicationRounds ?? Math.ceil(rounds / 2),
      amounts: options.quick ? QUICK_AMOUNTS : FULL_AMOUNTS,
      applications: options.quick ? QUICK_APPLICATIONS : FULL_APPLICATIONS,
      dropCache: options.quick ? keepCache : dropKernelCache,
      interrupted,
      progress,
    });
    const markdown = [host, compareTable(figures), rangeTable(figures), targetList(figures), historyRow(figures)].join(
      '\n\n',
    );
    if (options.plots !== undefined) writePlot(options.plots, 'compare', comparePlot(figures));
    finish(options, { host, figures }, markdown);
    if (figures.some(({ name, failures }) => name === RAZORFS && failures.length > 0)) process.exitCode = 1;
  });

const requests = new Command('requests')
  .description('the requests of the kernel that reach RazorFS for one operation of each kind')
  .option('--directory <DIR>', DIRECTORY_HELP, DIRECTORY)
  .option('--quick', QUICK_HELP)
  .option('--json <FILE>', JSON_HELP)
  .action(async (options: CommonOptions) => {
    const host = await prepare(options);
    const figures = await countRequests({
      directory: options.directory,
      amounts: options.quick ? QUICK_AMOUNTS : FULL_AMOUNTS,
      archive: QUICK_APPLICATIONS,
      dropCache: options.quick ? keepCache : dropKernelCache,
    });
    finish(options, { host, figures }, `${host}\n\n${requestTable(figures)}`);
  });

const snapshots = new Command('snapshots')
  .description('what snapshots, rollbacks, resets and comparisons cost as the number of files grows')
  .option('--directory <DIR>', DIRECTORY_HELP, DIRECTORY)
  .option('--quick', QUICK_HELP)
  .option('--json <FILE>', JSON_HELP)
  .option('--files <N,…>', 'numbers of files, ascending: 10k,1M', sizes)
  .action(async (options: CommonOptions & Pick<ScaleCommandOptions, 'files'>) => {
    const host = await prepare(options);
    const figures = await measureSnapshots({
      directory: options.directory,
      sizes: options.files ?? (options.quick ? [400] : [10_000, 1_000_000]),
      changes: options.quick ? 40 : 1000,
      rounds: options.quick ? 1 : 5,
      diffMsMax: DIFF_MS_MAX,
      interrupted,
      progress,
    });
    finish(options, { host, figures }, `${host}\n\n${snapshotsTable(figures)}`);
  });

await new Command('bench')
  .addCommand(comparison)
  .addCommand(scale)
  .addCommand(requests)
  .addCommand(snapshots)
  .parseAsync();
