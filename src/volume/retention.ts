/**
 * Retention: which snapshots a rule keeps. Rules add up, as with restic and borg: a snapshot goes when none of them keeps it.
 *
 *   last=N      the N newest
 *   hourly=N    the newest of each of the last N hours that have one; likewise daily, weekly (from Monday), monthly
 *   within=30d  all that are younger: s, m, h, d (days), w (weeks), y (years of 365 days)
 *
 * Hours, days, weeks and months are those of UTC, so that a rule means the same wherever it is looked at.
 */
import { StoreError } from '../errors/store-error.js';

export interface Retention {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly withinMs?: number;
}

/** A snapshot, as far as rules look at it. */
export interface RetainedSnapshot {
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly isReceived: boolean;
}

export interface Verdict<Snapshot extends RetainedSnapshot> {
  readonly snapshot: Snapshot;
  /** The rules that keep it; none for one that goes. */
  readonly keptBy: readonly string[];
}

const PERIODS = ['hourly', 'daily', 'weekly', 'monthly'] as const;
type Period = (typeof PERIODS)[number];

const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS_MS: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  m: 60 * SECOND_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
};
/** 1 January 1970 was a Thursday: weeks that begin on Mondays begin four days later. */
const MONDAY_MS = 4 * DAY_MS;
const COUNT_MAX = 1_000_000;

/** The number of the period that a time lies in. */
function periodOf(period: Period, timeMs: number): number {
  switch (period) {
    case 'hourly':
      return Math.floor(timeMs / HOUR_MS);
    case 'daily':
      return Math.floor(timeMs / DAY_MS);
    case 'weekly':
      return Math.floor((timeMs - MONDAY_MS) / (7 * DAY_MS));
    case 'monthly': {
      const date = new Date(timeMs);
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    }
  }
}

/** When a snapshot counts as taken, in milliseconds since 1970. */
interface Timed<Snapshot> {
  readonly snapshot: Snapshot;
  readonly timeMs: number;
}

/**
 * The newest first. Clocks are wrong at times: one taken before the clock was set, as on machines that do not keep the time while they
 * are off, counts as taken with the one before it. Those that were received have the times of another machine.
 */
function newestFirst<Snapshot extends RetainedSnapshot>(inOrder: readonly Snapshot[]): Timed<Snapshot>[] {
  let latestMs = 0;
  const timed = inOrder.map((snapshot) => {
    const { createdMs, isReceived } = snapshot;
    if (isReceived) return { snapshot, timeMs: createdMs };
    latestMs = Math.max(latestMs, createdMs);
    return { snapshot, timeMs: latestMs };
  });
  return timed.reverse();
}

/**
 * Judges snapshots by a rule at a time. They are in the order in which they were taken; the newest comes first of what is returned. A rule
 * without any part keeps all, and any rule those that the clock says are yet to come, in the place of no others.
 */
export function judge<Snapshot extends RetainedSnapshot>(
  inOrder: readonly Snapshot[],
  rule: Retention,
  nowMs: number,
): Verdict<Snapshot>[] {
  const keptBy = new Map<Snapshot, string[]>(inOrder.map((snapshot) => [snapshot, []]));
  const keep = (snapshot: Snapshot, reason: string): void => void keptBy.get(snapshot)?.push(reason);
  const isToCome = ({ createdMs }: Snapshot): boolean => createdMs > nowMs;
  for (const snapshot of inOrder.filter(isToCome)) keep(snapshot, 'future');
  const snapshots = newestFirst(inOrder.filter((snapshot) => !isToCome(snapshot)));
  if (Object.keys(rule).length === 0) for (const { snapshot } of snapshots) keep(snapshot, 'no rule');
  for (const { snapshot } of snapshots.slice(0, rule.last ?? 0)) keep(snapshot, 'last');
  for (const { snapshot, timeMs } of snapshots) {
    if (rule.withinMs !== undefined && nowMs - timeMs <= rule.withinMs) keep(snapshot, 'within');
  }
  for (const period of PERIODS) {
    const seen = new Set<number>();
    for (const { snapshot, timeMs } of snapshots) {
      const number = periodOf(period, timeMs);
      if (seen.has(number) || seen.size >= (rule[period] ?? 0)) continue;
      seen.add(number);
      keep(snapshot, period);
    }
  }
  return [...inOrder].reverse().map((snapshot) => ({ snapshot, keptBy: keptBy.get(snapshot) ?? [] }));
}

/** Reads `90s`, `24h`, `30d`, `8w` or `1y` as milliseconds; undefined when it is none of these. */
export function parseAge(text: string): number | undefined {
  const match = /^(\d{1,6})([smhdwy])$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS_MS[match[2] ?? ''] ?? 0);
}

/** Writes an age in the largest unit that needs no fraction. */
export function formatAge(milliseconds: number): string {
  const unit = ['w', 'd', 'h', 'm', 's'].find((name) => milliseconds % (UNITS_MS[name] ?? 1) === 0) ?? 's';
  return `${Math.round(milliseconds / (UNITS_MS[unit] ?? 1))}${unit}`;
}

/** Reads `last=3,daily=7,within=30d`. Throws StoreError for what is no such rule. */
export function parseRetention(text: string): Retention {
  const rule: Record<string, number> = {};
  for (const part of text.split(',').filter((part) => part !== '')) {
    const [name = '', value = '', ...rest] = part.split('=');
    const isCount = name === 'last' || PERIODS.some((period) => period === name);
    const parsed = isCount && /^\d+$/.test(value) ? Number(value) : name === 'within' ? parseAge(value) : undefined;
    if (parsed === undefined || rest.length > 0 || parsed > COUNT_MAX * DAY_MS) throw badRule(part);
    rule[name === 'within' ? 'withinMs' : name] = parsed;
  }
  return rule;
}

const badRule = (part: string): StoreError =>
  new StoreError(
    'bad-property',
    `"${part}" is no rule of retention.`,
    'Write for example: last=3,hourly=24,daily=7,weekly=4,monthly=12,within=30d',
  );

/** Writes a rule as `parseRetention` reads it. */
export function formatRetention(rule: Retention): string {
  const counts = (['last', ...PERIODS] as const).flatMap((name) =>
    rule[name] === undefined ? [] : [`${name}=${rule[name]}`],
  );
  return [...counts, ...(rule.withinMs === undefined ? [] : [`within=${formatAge(rule.withinMs)}`])].join(',');
}
