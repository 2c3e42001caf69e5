/**
 * The comparison as Markdown: medians with the ratios that the goals are about, then the range of every figure.
 */

import { formatFigure, formatRate, markdownTable } from '../table.js';
import { HOST, RAZORFS } from '../targets/own.js';
import type { TargetFigures } from './compare.js';
import { ROW_KEYS, type Row, type RowKey, rowOf, speedRatio, type Unit } from './rows.js';

const NONE = '–';

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : sorted.length === 0
      ? undefined
      : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A row with the median of each target that has one, and what RazorFS reached. */
export interface Comparison {
  readonly key: RowKey;
  readonly row: Row;
  readonly medians: ReadonlyMap<string, number>;
  /** RazorFS as a multiple of the host's speed, and of the fastest peer's. */
  readonly toHost: number | undefined;
  readonly toBestPeer: number | undefined;
}

/** The rows that were measured. */
export function comparisons(figures: readonly TargetFigures[]): Comparison[] {
  return ROW_KEYS.flatMap((key) => {
    const row = rowOf(key);
    const medians = new Map<string, number>();
    for (const { name, values } of figures) {
      const value = median(values[key]);
      if (value !== undefined) medians.set(name, value);
    }
    if (medians.size === 0) return [];
    const own = medians.get(RAZORFS);
    const host = medians.get(HOST);
    const ratio = (reference: number) => (own === undefined ? undefined : speedRatio(row.unit, own, reference));
    const peers = [...medians].filter(([name]) => name !== RAZORFS && name !== HOST).map(([, value]) => ratio(value));
    const toPeers = peers.filter((value) => value !== undefined);
    return {
      key,
      row,
      medians,
      toHost: host === undefined ? undefined : ratio(host),
      toBestPeer: toPeers.length === 0 ? undefined : Math.min(...toPeers),
    };
  });
}

/** A figure in its unit. */
export const formatValue = (unit: Unit, value: number): string =>
  unit === 'operations/s' ? formatRate(value) : formatFigure(value);

const label = ({ label, unit }: Row): string =>
  `${label}, ${unit === 'operations/s' ? 'ops/s' : unit === 'seconds' ? 's' : unit}`;

const formatRatio = (ratio: number | undefined): string => (ratio === undefined ? NONE : `${formatFigure(ratio)} ×`);

function formatGoal({ row, toHost, toBestPeer }: Comparison): string {
  if (row.goal === undefined) return '';
  const reached = row.goal.of === 'host' ? toHost : toBestPeer;
  const verdict = reached === undefined ? '' : reached >= row.goal.factor ? ' ✓' : ' ✗';
  return `${row.goal.factor} × ${row.goal.of}${verdict}`;
}

/** Medians, the ratios of RazorFS, and the goals. */
export function compareTable(figures: readonly TargetFigures[]): string {
  const names = figures.map(({ name }) => name);
  return markdownTable(
    ['work', ...names, 'to host', 'to best peer', 'goal'],
    comparisons(figures).map((comparison) => [
      label(comparison.row),
      ...names.map((name) => {
        const value = comparison.medians.get(name);
        return value === undefined ? NONE : formatValue(comparison.row.unit, value);
      }),
      formatRatio(comparison.toHost),
      formatRatio(comparison.toBestPeer),
      formatGoal(comparison),
    ]),
  );
}

/** The rows with goals as a line for bench/HISTORY.md: RazorFS as a multiple of the host, and of the fastest peer. */
export function historyRow(figures: readonly TargetFigures[]): string {
  const ratio = (value: number | undefined) => (value === undefined ? NONE : formatFigure(value));
  const cells = comparisons(figures)
    .filter(({ row }) => row.goal !== undefined)
    .map(({ toHost, toBestPeer }) => `${ratio(toHost)} / ${ratio(toBestPeer)}`);
  return `for HISTORY.md: | ${cells.join(' | ')} |`;
}

/** The least and the greatest value of each figure. */
export function rangeTable(figures: readonly TargetFigures[]): string {
  return markdownTable(
    ['work, least to greatest', ...figures.map(({ name }) => name)],
    comparisons(figures).map(({ key, row }) => [
      label(row),
      ...figures.map(({ values }) => {
        const of = values[key];
        if (of.length === 0) return NONE;
        return `${formatValue(row.unit, Math.min(...of))} … ${formatValue(row.unit, Math.max(...of))}`;
      }),
    ]),
  );
}

/** How each target was mounted, and what went wrong. */
export const targetList = (figures: readonly TargetFigures[]): string =>
  figures
    .flatMap(({ name, how, failures }) => [`- ${name}: ${how}`, ...failures.map((line) => `  - failed: ${line}`)])
    .join('\n');
