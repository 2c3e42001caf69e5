/**
 * Sizes as people write them.
 */
const UNITS = ' KMGT';

/** Reads `4096`, `500K`, `64M` or `1.5G` (powers of 1024) as bytes; undefined when it is none of these. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/i.exec(text);
  if (match === null) {
    return undefined;
  }
  const bytes = Math.round(Number(match[1]) * 1024 ** UNITS.indexOf(match[2]!.toUpperCase() || ' '));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Writes bytes exactly, in the largest unit that needs no fraction, as `parseSize` reads it. */
export function formatSize(bytes: number): string {
  let unit = 0;
  while (bytes > 0 && unit < UNITS.length - 1 && bytes % 1024 ** (unit + 1) === 0) unit++;
  return `${bytes / 1024 ** unit}${UNITS[unit]!.trim()}`;
}
