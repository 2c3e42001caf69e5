/**
 * Durations, sizes and counts as people write and read them.
 */

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** One day: beyond it, a commit interval is a mistake. */
const DURATION_MS_MAX = 24 * 3_600_000;

/** Reads `500ms`, `5s`, `1.5m` or `1h` as milliseconds; undefined when it is none of these, or not within 1 ms to a day. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const milliseconds = Math.round(Number(match[1]) * MILLISECONDS[match[2]!]!);
  return milliseconds >= 1 && milliseconds <= DURATION_MS_MAX ? milliseconds : undefined;
}

/** Writes milliseconds as the shortest of `430 ms`, `2.1 s`, `3 min 20 s`, `5 h 2 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) {
    return `${Math.round(milliseconds)} ms`;
  }
  const seconds = milliseconds / 1000;
  if (seconds < 60) {
    return `${Number(seconds.toFixed(1))} s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return joinUnits(minutes, 'min', Math.floor(seconds % 60), 's');
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? joinUnits(hours, 'h', minutes % 60, 'min')
    : joinUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function joinUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Writes a number of bytes with a binary unit and at most one decimal: `812 B`, `4 KiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  // 1023.95 would round to 1024.0 of the smaller unit.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : Number(value.toFixed(1))} ${units[unit]}`;
}

/** Writes a count with thousands separated: `1,204`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 orphan`, `3 orphans`. */
export function formatNumberOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Writes a time (milliseconds since 1970) as the people of this machine's time zone know it, to the second: `2026-11-20 14:03:09`. */
export function formatTime(milliseconds: number): string {
  const local = milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000;
  return new Date(local).toISOString().slice(0, 19).replace('T', ' ');
}
