/**
 * The comparison for the README: every row as a panel of bars, with the least and the greatest value of each figure as a line.
 */

import { Drawing, FAINT, INK } from '../svg.js';
import { HOST, RAZORFS } from '../targets/own.js';
import type { TargetFigures } from './compare.js';
import { type Comparison, comparisons, formatValue } from './report.js';

const RAZORFS_COLOUR = '#d1242f';
const HOST_COLOUR = '#57606a';
const PEER_COLOUR = '#9fb8d6';

const TITLE = 'RazorFS, the host and other FUSE file systems: the figures of each kind of work, as bars';

const COLUMNS = 3;
const PANEL_WIDTH = 340;
const NAME_WIDTH = 96;
const VALUE_WIDTH = 64;
const BAR_HEIGHT = 14;
const MARGIN = 12;

const colourOf = (name: string): string =>
  name === RAZORFS ? RAZORFS_COLOUR : name === HOST ? HOST_COLOUR : PEER_COLOUR;

/** A panel for each row of the comparison, a bar for each target: longer is faster, or for seconds, slower. */
export function comparePlot(figures: readonly TargetFigures[]): string {
  const rows = comparisons(figures);
  const panelHeight = figures.length * (BAR_HEIGHT + 3) + 34;
  const lines = Math.ceil(rows.length / COLUMNS);
  const drawing = new Drawing(TITLE, COLUMNS * PANEL_WIDTH + 2 * MARGIN, lines * panelHeight + 2 * MARGIN);
  for (const [index, row] of rows.entries()) {
    const x = MARGIN + (index % COLUMNS) * PANEL_WIDTH;
    const y = MARGIN + Math.floor(index / COLUMNS) * panelHeight;
    drawPanel(drawing, x, y, row, figures);
  }
  return drawing.toString();
}

function drawPanel(
  drawing: Drawing,
  x: number,
  y: number,
  comparison: Comparison,
  figures: readonly TargetFigures[],
): void {
  const { key, row, medians } = comparison;
  const note = row.unit === 'seconds' ? 'seconds, less is better' : row.unit;
  drawing.text(x, y + 12, row.label, { size: 12, bold: true });
  drawing.text(x + PANEL_WIDTH - 20, y + 12, note, { size: 10, colour: FAINT, end: true });
  const widest = Math.max(...figures.flatMap(({ values }) => values[key]));
  const room = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH - 20;
  for (const [index, { name, values }] of figures.entries()) {
    const top = y + 20 + index * (BAR_HEIGHT + 3);
    const value = medians.get(name);
    drawing.text(x, top + 11, name, { bold: name === RAZORFS });
    if (value === undefined) {
      drawing.text(x + NAME_WIDTH, top + 11, 'did not finish', { colour: FAINT });
      continue;
    }
    const width = Math.max(1, (value / widest) * room);
    drawing.rectangle(x + NAME_WIDTH, top, width, BAR_HEIGHT, colourOf(name));
    const [least, greatest] = [Math.min(...values[key]), Math.max(...values[key])].map((end) => (end / widest) * room);
    const middle = top + BAR_HEIGHT / 2;
    if (greatest > least) drawing.line(x + NAME_WIDTH + least, middle, x + NAME_WIDTH + greatest, middle, INK);
    drawing.text(x + NAME_WIDTH + Math.max(width, greatest) + 4, top + 11, formatValue(row.unit, value));
  }
}
