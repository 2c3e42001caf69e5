/**
 * `razorfs mount MNT`, also `razorfs MNT`: mounts and returns when programs can use it, or serves in the foreground.
 */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { FuseError } from '../fuse/fuse-error.js';
import { mountInBackground } from '../mount/mount-in-background.js';
import { type MountReport, type MountRequest, TRANSPORTS, type TransportName } from '../mount/mount-request.js';
import { mountPointPath, storePath } from '../mount/paths.js';
import { locateStore } from '../store/location.js';
import { MAIN_NAME } from '../volume/dataset.js';
import type { Durability, RecoveryReport } from '../volume/options.js';
import { collect, commitInterval, label } from './arguments.js';
import { EXIT } from './exit-codes.js';
import { printResult, printWarning } from './output.js';
import { formatCount, formatDuration, formatNumberOf } from './quantities.js';

interface MountOptions {
  readonly store?: string;
  readonly options?: readonly string[];
  readonly volume?: string;
  readonly snapshot?: string;
  readonly durability?: Durability;
  readonly commitInterval?: number;
  readonly readOnly?: boolean;
  readonly label?: string;
  readonly transport: TransportName;
  readonly resetOnMount?: boolean;
  readonly ephemeral?: boolean;
  readonly foreground?: boolean;
  readonly json?: boolean;
}

const HELP = `
Examples:
  razorfs /mnt/point                              mount with the default store
  razorfs /mnt/point --store /data/project        with a store of your choice, made if it is not there
  razorfs /mnt/point -o ro,noatime                the usual -o words work
  razorfs /mnt/point --durability sync            every change is on the disk before it returns
  razorfs /mnt/work --volume work                 another volume of the store, beside those mounted already
  razorfs /mnt/old --snapshot monday              a snapshot, read-only; work@monday one of the volume work
  razorfs /mnt/root --reset-on-mount              blank at each mount, but for what persists
  razorfs /mnt/try --ephemeral                    to try something: nothing that is written stays
  razorfs -f /mnt/point                           stay in front, log to the terminal, unmount with Ctrl-C

What a crash may cost:
  sync       nothing that has returned
  interval   at most the last --commit-interval (5s unless given) of what was not fsynced
  relaxed    the same with 30s
Whatever was fsynced is safe in each of them.

--transport fuse-native serves by libfuse 2 (on Debian: apt-get install libfuse2), with these limits:
  the user who mounts is the only one who may enter, and it is the only mount of its store
  the mount ends when its serving process dies; the next mount recovers the store
  a file that is removed while it is open stays as .fuse_hidden... until it is closed
  times have milliseconds and begin in 1970; touch -a and touch -m change nothing; names must be UTF-8
  no access control lists, fallocate, O_TMPFILE, RENAME_NOREPLACE or RENAME_EXCHANGE`;

export function mountCommand(): Command {
  return new Command('mount')
    .description('mount a store (the word mount may be left out)')
    .argument('<MNT>', 'the directory to mount on')
    .option('-s, --store <DIR>', 'where everything is kept')
    .option('--volume <NAME>', 'the volume to mount (default: main)')
    .option('--snapshot <[VOL@]NAME>', 'a snapshot to mount, read-only')
    .option('-o, --options <WORDS>', 'mount options, comma-separated, as mount(8) has them', collect)
    .addOption(
      new Option(
        '-d, --durability <MODE>',
        'what a crash may cost (default: the property of the volume, or interval)',
      ).choices(['sync', 'interval', 'relaxed']),
    )
    .option('-i, --commit-interval <TIME>', 'how long a change may wait for the disk: 500ms, 5s, 1m', commitInterval)
    .option('-r, --read-only', 'change nothing, neither files nor the store')
    .option('-L, --label <LABEL>', 'the label of the store, if it has to be made', label)
    .addOption(
      new Option('--transport <NAME>', "what carries requests: the kernel's protocol, or libfuse 2")
        .choices(TRANSPORTS)
        .default('kernel'),
    )
    .option('--reset-on-mount', 'put the volume back to blank first, but for what persists (razorfs persist)')
    .option('--ephemeral', 'mount a throw-away clone: everything that is written goes when it is unmounted')
    .option('-f, --foreground', 'stay in front and log to the terminal')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(mount);
}

async function mount(given: string, options: MountOptions): Promise<void> {
  refuseMistypedCommand(given);
  const mountPoint = mountPointPath(given);
  const store = storePath(locateStore(options.store).path);
  const request: MountRequest = {
    mountPoint,
    store,
    label: options.label ?? '',
    dataset: datasetName(options),
    durability: options.durability,
    commitIntervalMs: options.commitInterval,
    readOnly: options.readOnly ?? false,
    options: (options.options ?? []).join(','),
    transport: options.transport,
    resetOnMount: options.resetOnMount ?? false,
    ephemeral: options.ephemeral ?? false,
  };
  if (options.foreground) {
    await serveInFront(request, options);
    return;
  }
  report(await mountInBackground(request), options);
}

/** `volume`, or `volume@snapshot`. */
function datasetName({ volume = MAIN_NAME, snapshot }: MountOptions): string {
  if (snapshot === undefined) return volume;
  return snapshot.includes('@') ? snapshot : `${volume}@${snapshot}`;
}

async function serveInFront(request: MountRequest, options: MountOptions): Promise<void> {
  // Loaded only here: without -f the daemon does this work.
  const { Supervisor } = await import('../mount/supervisor.js');
  const supervisor = new Supervisor(request, (line) => process.stderr.write(line));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => supervisor.signal(signal));
  }
  report(await supervisor.start(), options);
  const end = await supervisor.ended;
  process.exit(end.outcome === 'clean' ? EXIT.success : EXIT.notClean);
}

/** `razorfs statsu` is a mount on the directory statsu to the parser; to its author it is something else. */
function refuseMistypedCommand(given: string): void {
  if (!given.includes('/') && !existsSync(given)) {
    const message = `There is neither a command nor a directory of the name "${given}".`;
    throw new FuseError('mount-point', message, 'razorfs --help   lists the commands.');
  }
}

function report(mounted: MountReport, options: MountOptions): void {
  const lines: string[] = [];
  if (!mounted.recovery.clean) {
    lines.push(recoveryLine(mounted.recovery));
  }
  const what = mounted.dataset === MAIN_NAME ? 'mounted' : `mounted with ${mounted.dataset}`;
  lines.push(`${mounted.mountPoint} is ${what}; its ${mounted.created ? 'new ' : ''}store is ${mounted.store}`);
  printResult(options, mounted, lines);
  if (mounted.recovery.givenUp !== undefined) {
    printWarning([
      `The last change in the log could not be made, and is given up: ${mounted.recovery.givenUp}.`,
      `Unmount, and check the store: razorfsck ${mounted.store}`,
    ]);
  }
  if (mounted.volatile !== null) {
    printWarning([
      `The store ${mounted.store} is in memory (${mounted.volatile}).`,
      `Everything in ${mounted.mountPoint} IS LOST when this machine stops.`,
      `To keep it, use a store on a disk: razorfs ${mounted.mountPoint} --store DIR`,
    ]);
  }
  if (mounted.readOnlyReason !== '' && !options.readOnly && options.snapshot === undefined) {
    printWarning([`${mounted.mountPoint} is read-only: ${mounted.readOnlyReason}`]);
  }
}

/** What recovery did, in one line. */
export function recoveryLine(recovery: RecoveryReport): string {
  const parts = [
    `${formatNumberOf(recovery.operationsReplayed, 'operation')} replayed`,
    `${formatNumberOf(recovery.orphansReclaimed, 'orphan')} reclaimed`,
  ];
  if (recovery.filesClamped > 0) {
    parts.push(`${formatCount(recovery.filesClamped)} cut back to the data that had reached the disk`);
  }
  const cause = recovery.powerLoss ? 'a loss of power' : 'a crash';
  return `Recovered from ${cause}: ${parts.join(', ')}, in ${formatDuration(recovery.milliseconds)}`;
}
