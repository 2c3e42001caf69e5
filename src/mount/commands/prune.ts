/**
 * Pruning snapshots by a rule of retention.
 */
import { StoreError } from '../../errors/store-error.js';
import { planPrune, prune, ruleOf } from '../../volume/prune.js';
import { formatRetention, parseRetention } from '../../volume/retention.js';
import { volumeNamed } from './dataset-names.js';
import type { StoreCommand } from './store-command.js';

export interface PruneArgs {
  readonly volume: string | undefined;
  /** A rule in the place of the volume's own. */
  readonly rule: string | undefined;
  readonly isDryRun: boolean;
  /** Only snapshots that nobody asked for by name. */
  readonly onlyAutomatic: boolean;
}

export interface PruneReport {
  readonly volume: string;
  readonly rule: string;
  readonly isDryRun: boolean;
  readonly snapshots: readonly {
    readonly name: string;
    readonly createdMs: number;
    readonly keptBy: readonly string[];
  }[];
  readonly destroyed: number;
}

/** Destroys the snapshots of a volume that its rule, or a given one, does not keep. */
export const pruneSnapshots: StoreCommand<PruneArgs, PruneReport> = async (args, context) => {
  const { datasets, store } = context;
  const volume = volumeNamed(args.volume, context);
  const rule = args.rule === undefined ? ruleOf(datasets, volume) : parseRetention(args.rule);
  if (rule === undefined || Object.keys(rule).length === 0) {
    throw new StoreError(
      'bad-property',
      `The volume "${volume.name}" has no rule of retention.`,
      'Give one, for example --keep-last 10 --keep-within 30d, or set one: razorfs volume set MNT retention=within=30d',
    );
  }
  const verdicts = planPrune(datasets, volume, rule, store.nowMs(), args.onlyAutomatic);
  const going = verdicts.filter(({ keptBy }) => keptBy.length === 0).length;
  if (!args.isDryRun) await prune(datasets, verdicts);
  return {
    volume: volume.name,
    rule: formatRetention(rule),
    isDryRun: args.isDryRun,
    snapshots: verdicts.map(({ snapshot, keptBy }) => ({
      name: snapshot.name,
      createdMs: snapshot.createdMs,
      keptBy,
    })),
    destroyed: going,
  };
};
