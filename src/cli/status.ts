/**
 * `razorfs status [MNT|STORE]`: what is mounted, how it is doing, and what somebody should do about it.
 */
import { Command } from 'commander';
import type { MountStatus, ServedDataset } from '../mount/control-protocol.js';
import type { IdleStore } from '../mount/idle-store.js';
import { type MountState, survey, surveyMounts } from '../mount/survey.js';
import type { RecoveryReport } from '../volume/options.js';
import { EXIT } from './exit-codes.js';
import { recoveryLine } from './mount.js';
import { type OutputOptions, printResult } from './output.js';
import { formatBytes, formatCount, formatDuration } from './quantities.js';

const HELP = `
Examples:
  razorfs status                    every RazorFS mount
  razorfs status /mnt/point         one mount
  razorfs status /data/project      one store, mounted or not
  razorfs status --json | jq        for programs: {"mounts": [{"state", "mountPoint", "store", "status"}]}

Exits with ${EXIT.notMounted} when the mount or store that was named is not mounted.`;

export function statusCommand(): Command {
  return new Command('status')
    .description('show what is mounted and how it is doing')
    .argument('[TARGET]', 'a mount point or a store; without it, all mounts')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (target: string | undefined, options: OutputOptions) => {
      const states = target === undefined ? await surveyMounts() : await survey(target);
      const lines = states.length === 0 ? ['No RazorFS file system is mounted.'] : states.flatMap(describe);
      printResult(options, { mounts: states }, lines);
      if (target !== undefined && states[0]?.state === 'not-mounted') {
        process.exitCode = EXIT.notMounted;
      }
    });
}

const volatileWarning = (kind: string): string =>
  `the store is in memory (${kind}): everything is lost when this machine stops`;

/** A process that takes over by `razorfs restart` finds a store that is not marked as clean, and nothing to do. */
const wasNeeded = ({ powerLoss, operationsReplayed, orphansReclaimed, filesClamped }: RecoveryReport): boolean =>
  powerLoss || operationsReplayed + orphansReclaimed + filesClamped > 0;

/** A heading and rows of `name  value`. */
function describe(state: MountState): string[] {
  switch (state.state) {
    case 'mounted':
      return [`${state.mountPoint}  mounted`, ...rows(statusRows(state))];
    case 'detached':
      return [
        `${state.mountPoint}  unmounted lazily, still in use`,
        ...rows([...statusRows(state), ['to end it', `razorfs umount ${state.store}`]]),
      ];
    case 'dead':
      return [
        `${state.mountPoint}  DEAD: its daemon is gone`,
        ...rows([
          ['store', state.store],
          ['to clear it', `razorfs umount ${state.mountPoint}`],
        ]),
      ];
    case 'unknown':
      return [
        `${state.mountPoint}  mounted`,
        ...rows([
          ['store', state.store],
          ['unknown', state.reason],
        ]),
      ];
    case 'not-mounted':
      return [`${state.store}  not mounted`, ...rows(idleRows(state.store, state.idle))];
  }
}

const rows = (pairs: readonly (readonly [string, string])[]): string[] =>
  pairs.map(([name, value]) => `  ${name.padEnd(12)}${value}`);

function idleRows(store: string, idle: IdleStore): [string, string][] {
  const result: [string, string][] = [
    ['label', idle.label === '' ? 'none' : `"${idle.label}"`],
    ['uuid', idle.uuid],
    ['used', `${formatBytes(idle.dataBytes)} in ${formatCount(idle.inodes)} inodes, at the last checkpoint`],
    ['mounted', idle.mountCount === 1 ? 'once so far' : `${formatCount(idle.mountCount)} times so far`],
  ];
  if (idle.holder !== null) {
    result.push(['in use', `by process ${idle.holder.pid} (${idle.holder.command})`]);
  } else {
    result.push(['state', idle.clean ? 'clean' : 'not unmounted properly: the next mount recovers it']);
  }
  if (idle.volatile !== null) {
    result.push(['VOLATILE', volatileWarning(idle.volatile)]);
  }
  result.push(['to mount it', `razorfs MNT --store ${store}`]);
  return result;
}

function unsweptNote({ volume }: MountStatus, { isUnswept }: ServedDataset): string {
  if (!isUnswept) return '';
  const until = volume.readOnlyReason === '' ? 'which is being swept' : 'which is swept once it is mounted for writing';
  return `, with what the last reset has left behind, ${until}`;
}

function statusRows({
  status,
  mount,
}: {
  readonly status: MountStatus;
  readonly mount: ServedDataset;
}): [string, string][] {
  const { volume } = status;
  const { nodes, strings, packs, log } = volume.bytes;
  const label = volume.label === '' ? '' : ` "${volume.label}"`;
  const result: [string, string][] = [
    ['store', `${status.store}${label}`],
    ['uuid', volume.uuid],
    [mount.type, mount.readOnly ? `${mount.dataset}, read-only` : mount.dataset],
    ['used', `${formatBytes(mount.dataBytes)} in ${formatCount(mount.inodes)} inodes${unsweptNote(status, mount)}`],
    ['host files', `metadata ${formatBytes(nodes + strings)}, packs ${formatBytes(packs)}, log ${formatBytes(log)}`],
    ['durability', `${volume.durability}, commits every ${formatDuration(volume.commitIntervalMs)}`],
    ['recovery', wasNeeded(volume.recovery) ? recoveryLine(volume.recovery) : 'none was needed'],
    [
      'daemon',
      `pid ${status.pid}, up ${formatDuration(Date.now() - status.startedAt)}, ${formatBytes(status.privateBytes)} of memory`,
    ],
  ];
  if (status.transport === 'fuse-native') {
    result.push(['transport', 'fuse-native: the mount ends with its daemon']);
  }
  if (status.restarts > 0) {
    result.push(['restarts', `${formatCount(status.restarts)}; the last one because of ${status.lastDeath}`]);
  }
  if (volume.readOnlyReason !== '') {
    result.splice(1, 0, ['READ-ONLY', volume.readOnlyReason]);
  }
  if (status.volatile !== null) {
    result.splice(1, 0, ['VOLATILE', volatileWarning(status.volatile)]);
  }
  return result;
}
