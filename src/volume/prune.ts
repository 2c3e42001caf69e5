/**
 * Pruning: destroys the snapshots that a rule of retention does not keep.
 *
 * Held snapshots and the one that resets go back to stay, whatever the rule. Snapshots that nobody asked for by name (taken on an
 * interval, kept by a reset or a rollback) are pruned by themselves too.
 */
import type { Dataset } from './dataset.js';
import { type Datasets, holdsOf, isReceived } from './datasets.js';
import { RETENTION_PROPERTY } from './properties.js';
import { judge, parseRetention, type Retention } from './retention.js';

/** The snapshot that a volume is reset to. */
export const BLANK_NAME = 'blank';
/** The property of a snapshot that says what made it, where that was not a person: `interval`, `reset`, `rollback`. */
export const MADE_BY = 'made-by';
/** How long snapshots stay that nobody asked for, in a volume without a rule. */
export const AUTOMATIC_RETENTION_DEFAULT = 'within=30d';

export interface PruneVerdict {
  readonly snapshot: Dataset;
  /** Why it stays; empty for one that goes. */
  readonly keptBy: readonly string[];
}

export const isAutomatic = (snapshot: Dataset): boolean => typeof snapshot.properties[MADE_BY] === 'string';

/** The rule of a volume; undefined when it has none. Throws StoreError for one that cannot be read. */
export function ruleOf(datasets: Datasets, volume: Dataset): Retention | undefined {
  const { value, source } = datasets.property(volume, RETENTION_PROPERTY);
  return source === 'default' || value === 'none' ? undefined : parseRetention(value);
}

/** What a rule makes of a volume's snapshots, the newest first. `onlyAutomatic`: of those that nobody asked for. */
export function planPrune(
  datasets: Datasets,
  volume: Dataset,
  rule: Retention,
  nowMs: number,
  onlyAutomatic: boolean,
): PruneVerdict[] {
  const judged = datasets
    .snapshots(volume.name)
    .filter((snapshot) => !onlyAutomatic || isAutomatic(snapshot))
    .map((snapshot) => ({ snapshot, createdMs: snapshot.createdMs, isReceived: isReceived(snapshot) }));
  return judge(judged, rule, nowMs).map(({ snapshot: { snapshot }, keptBy }) => {
    const always = [
      ...(snapshot.name === BLANK_NAME ? ['blank'] : []),
      ...(holdsOf(snapshot).length > 0 ? ['held'] : []),
      ...(datasets.isMounted(snapshot) ? ['mounted'] : []),
    ];
    return { snapshot, keptBy: [...always, ...keptBy] };
  });
}

/** Destroys what nothing keeps, all at once and right after it was judged. Returns the names. */
export async function prune(datasets: Datasets, verdicts: readonly PruneVerdict[]): Promise<string[]> {
  const going = verdicts.filter(({ keptBy }) => keptBy.length === 0).map(({ snapshot }) => snapshot);
  await datasets.destroy(...going);
  return going.map(({ name }) => name);
}

/** Prunes the snapshots that nobody asked for, by the volume's rule, or by their age. Returns their names. */
export async function pruneAutomatic(datasets: Datasets, volume: Dataset, nowMs: number): Promise<string[]> {
  const rule = ruleOf(datasets, volume) ?? parseRetention(AUTOMATIC_RETENTION_DEFAULT);
  return prune(datasets, planPrune(datasets, volume, rule, nowMs, true));
}
