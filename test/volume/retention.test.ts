/** Which snapshots a rule keeps. */
import t from 'tap';
import { formatRetention, judge, parseRetention } from '../../src/volume/retention.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Wednesday, 18 November 2026, noon. */
const NOW = Date.UTC(2026, 10, 18, 12);

const taken = (...agesMs: number[]): { name: string; createdMs: number; isReceived: boolean }[] =>
  agesMs.map((age) => ({ name: `${age / HOUR}h`, createdMs: NOW - age, isReceived: false }));

/** Those that are kept, the newest first. They were taken in this order. */
const keptInOrder = (rule: string, ...agesMs: number[]): string[] =>
  judge(taken(...agesMs), parseRetention(rule), NOW).flatMap(({ snapshot, keptBy }) =>
    keptBy.length > 0 ? [snapshot.name] : [],
  );

const kept = (rule: string, ...agesMs: number[]): string[] => keptInOrder(rule, ...agesMs.sort((a, b) => b - a));

t.test('counts', async (t) => {
  t.strictSame(kept('last=2', 3 * HOUR, HOUR, 2 * HOUR), ['1h', '2h']);
  t.strictSame(kept('hourly=2', 0.1 * HOUR, 0.2 * HOUR, 0.9 * HOUR, 5 * HOUR, 7 * HOUR), ['0.1h', '5h']);
  t.strictSame(kept('daily=2', HOUR, 2 * HOUR, 13 * HOUR, 14 * HOUR, 40 * HOUR), ['1h', '13h']);
  t.strictSame(kept('weekly=2', DAY, 2 * DAY, 3 * DAY, 4 * DAY, 12 * DAY), ['24h', '72h']);
  t.strictSame(kept('monthly=2', DAY, 17 * DAY, 18 * DAY, 19 * DAY, 60 * DAY), ['24h', '432h']);
  t.strictSame(kept('last=1,daily=2', HOUR, 2 * HOUR, 30 * HOUR), ['1h', '30h'], 'rules add up');
});

t.test('ages', async (t) => {
  t.strictSame(kept('within=30d', 29 * DAY, 30 * DAY, 31 * DAY), [`${29 * 24}h`, `${30 * 24}h`]);
  t.strictSame(kept('', DAY, 400 * DAY), ['24h', `${400 * 24}h`], 'without a rule all stay');
  t.strictSame(kept('last=0', DAY), [], 'a rule that keeps none');
});

t.test('clocks that were wrong', async (t) => {
  const year = 365 * DAY;
  t.strictSame(
    keptInOrder('within=30d', 40 * DAY, DAY, 50 * year, HOUR),
    ['1h', `${50 * 365 * 24}h`, '24h'],
    'before the clock was set',
  );
  t.strictSame(keptInOrder('last=1', DAY, 50 * year), [`${50 * 365 * 24}h`], 'the one taken last');
  t.strictSame(
    keptInOrder('last=1,daily=2', 3 * DAY, 2 * DAY, -year, DAY, HOUR),
    ['1h', '24h', `${-365 * 24}h`],
    'one of the future is kept, and keeps no other from being kept',
  );
});

t.test('what was received has the times of another machine', async (t) => {
  const [local, ...received] = taken(HOUR, 3 * DAY, 2 * DAY);
  const all = [...(local === undefined ? [] : [local]), ...received.map((one) => ({ ...one, isReceived: true }))];
  t.strictSame(
    judge(all, parseRetention('daily=3'), NOW).map(({ keptBy }) => keptBy),
    [['daily'], ['daily'], ['daily']],
  );
});

t.test('rules as text', async (t) => {
  for (const rule of ['last=3', 'hourly=24,daily=7,weekly=4,monthly=12', 'last=1,within=30d', 'within=36h', '']) {
    t.equal(formatRetention(parseRetention(rule)), rule);
  }
  t.equal(formatRetention(parseRetention('within=14d')), 'within=2w');
  for (const bad of ['last', 'last=', 'last=-1', 'within=30', 'yearly=2', 'last=1=2', 'within=1x']) {
    t.throws(() => parseRetention(bad), { code: 'bad-property' }, bad);
  }
});
