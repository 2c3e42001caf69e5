/**
 * Tables in Markdown, and the numbers in them.
 */

/** A Markdown table; the first columns to the left, the others to the right. Columns are padded so that the source reads well. */
export function markdownTable(heading: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = heading.map((_, column) => Math.max(3, ...[heading, ...rows].map((row) => [...row[column]].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column < left ? padEnd(cell, widths[column]) : padStart(cell, widths[column]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(heading), rule, ...rows.map(line)].join('\n');
}

const missing = (text: string, width: number): string => ' '.repeat(width - [...text].length);
const padEnd = (text: string, width: number): string => text + missing(text, width);
const padStart = (text: string, width: number): string => missing(text, width) + text;

/** Two or three digits that count: 0.84, 12.5, 340. */
export function formatFigure(value: number): string {
  if (value === 0) return '0';
  if (value < 10) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** 950, 12.5 k, 1.20 M. */
export function formatRate(value: number): string {
  if (value < 1000) return formatFigure(value);
  return value < 1e6 ? `${formatFigure(value / 1e3)} k` : `${formatFigure(value / 1e6)} M`;
}

/** Microseconds, from nanoseconds. */
export const formatMicroseconds = (nanoseconds: number): string => formatFigure(nanoseconds / 1e3);
/** Milliseconds, from nanoseconds. */
export const formatMilliseconds = (nanoseconds: number): string => formatFigure(nanoseconds / 1e6);
