/**
 * `npm run power-cut`: cuts the power of a virtual machine that works on RazorFS, again and again, and checks what its disk keeps against
 * the promises of the README. Ends with exit code 1, and leaves everything for inspection, at the first broken promise.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ROOT } from '../../test/cli/program.js';
import { isInstalled } from '../../test/mounted/mounted-store.js';
import { Random } from '../../test/random.js';
import { type Kernel, writeGuestRoot } from './guest-root.js';
import { ACCELERATORS, type Accelerator, type MachineParts, starts } from './machine.js';
import { MAKERS, makeFileSystem } from './make-file-system.js';
import { HOST_FILE_SYSTEMS, type HostFileSystem } from './order.js';
import { PowerCutRounds } from './rounds.js';
import { VolatileDisk } from './volatile-disk.js';

/** What must be installed, and the Debian package that it is in. */
const PACKAGES: readonly (readonly [program: string, debianPackage: string])[] = [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['busybox', 'busybox-static'],
  ['ldd', 'libc-bin'],
  ['xz', 'xz-utils'],
];

const DISK_BYTES = 2 * 2 ** 30;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly seed?: number;
  readonly hostFs: HostFileSystem;
  readonly kernel?: string;
  readonly accelerator?: Accelerator;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new InvalidArgumentError('A number above 0 is needed.');
  return value;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A whole number of at most nine digits is needed.');
  return Number(text);
}

const command: Command = new Command('power-cut')
  .description(
    'Cuts the power of a virtual machine that works on RazorFS, and checks that nothing is lost that must be kept.',
  )
  .option('--rounds <N>', 'cuts', wholeNumber, 20)
  .option('--seconds <S>', 'the longest time of work before the next cut', positive, 15)
  .option('--seed <N>', 'the choices of an earlier run; what the cut meets still depends on the machine', wholeNumber)
  .addOption(
    new Option('--host-fs <TYPE>', 'the file system that holds the store').choices(HOST_FILE_SYSTEMS).default('ext4'),
  )
  .option(
    '--kernel <FILE>',
    'vmlinuz-RELEASE, with its modules in ../lib/modules/RELEASE; without it the newest in /boot',
  )
  .addOption(
    new Option('--accelerator <NAME>', 'what runs the machine; without it kvm, if that works here').choices(
      ACCELERATORS,
    ),
  )
  .addHelpText(
    'after',
    '\nExit codes: 0 nothing lost, 1 a broken promise, 2 the command line was not understood, or something is missing.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();
const options = command.opts<Options>();

function findKernel(): Kernel {
  const images = readdirSync('/boot').filter((name) => name.startsWith('vmlinuz-'));
  images.sort((left, right) => left.localeCompare(right, 'en', { numeric: true }));
  const newest = images.at(-1);
  const file = options.kernel ?? (newest === undefined ? undefined : path.join('/boot', newest));
  if (file === undefined)
    command.error('There is no kernel in /boot: apt install linux-image-cloud-amd64, or name one with --kernel.');
  const release = path.basename(file).replace(/^vmlinuz-/, '');
  const modules = path.join(path.dirname(file), '../lib/modules', release);
  if (!existsSync(file) || !existsSync(modules)) command.error(`${file} or its modules, ${modules}, are not there.`);
  return { file, release };
}

function requirePackages(): void {
  const { words, debianPackage } = MAKERS[options.hostFs];
  const needed = [...PACKAGES, [words[0], debianPackage] as const];
  const missing = needed.filter(([program]) => !isInstalled(program)).map(([, debianPackage]) => debianPackage);
  if (missing.length > 0) command.error(`Something is missing: apt install ${missing.join(' ')}`);
  // A busybox that is linked with libraries would need them in the guest.
  if (spawnSync('ldd', ['/bin/busybox'], { encoding: 'utf8' }).stdout.includes('=>')) {
    command.error('/bin/busybox is not the static one: apt install busybox-static');
  }
}

function isKvmOpen(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Before there is a file system on the disk: the machine finds none, and says so. */
async function chooseAccelerator(parts: Omit<MachineParts, 'accelerator'>): Promise<Accelerator> {
  const directory = path.join(parts.directory, 'trial');
  return isKvmOpen() && (await starts({ ...parts, accelerator: 'kvm', directory })) ? 'kvm' : 'tcg';
}

async function main(): Promise<number> {
  const kernel = findKernel();
  requirePackages();
  mkdirSync(path.join(ROOT, 'build'), { recursive: true });
  const directory = mkdtempSync(path.join(process.env.TMPDIR ?? path.join(ROOT, 'build'), 'power-cut-'));
  const root = path.join(directory, 'root');
  writeGuestRoot(kernel, options.hostFs, root);
  const medium = path.join(directory, 'disk');
  // A socket's path may not be long (unix(7)).
  const socket = path.join(tmpdir(), `razorfs-power-cut-${process.pid}`);
  const disk = new VolatileDisk(medium, DISK_BYTES, socket);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      rmSync(directory, { recursive: true });
      rmSync(socket);
      process.exit(1);
    });
  }
  const accelerator = options.accelerator ?? (await chooseAccelerator({ kernel, root, socket, directory }));
  makeFileSystem(medium, options.hostFs);
  const seed = options.seed ?? randomInt(1e9);
  console.log(`seed ${seed}; Linux ${kernel.release}, ${accelerator}; ${options.hostFs}; ${directory}`);
  const parts = { kernel, root, socket, accelerator };
  const rounds = new PowerCutRounds(parts, disk, directory, options.hostFs, new Random(seed));
  for (let round = 0; round <= options.rounds; round++) {
    const isLast = round === options.rounds;
    const { failures, summary } = await (isLast ? rounds.last(round) : rounds.round(round, options.seconds * 1000));
    console.log(`boot ${round + 1}: ${summary}`);
    for (const failure of failures) {
      console.log(`  BROKEN: ${failure}`);
    }
    if (failures.length > 0) {
      console.log(`Everything was left as it is: ${directory}; disk-after-cut is what this boot began with`);
      disk.close();
      return 1;
    }
  }
  disk.close();
  rmSync(directory, { recursive: true });
  console.log(`${options.rounds} cuts, nothing lost`);
  return 0;
}

process.exitCode = await main();
