/**
 * The plots for the README: every row of the comparison as bars, and cost against the number of files as lines.
 */
import { formatCount } from '../src/cli/quantities.js';
import type { TargetFigures } from './compare/compare.js';
import { type Comparison, comparisons, formatValue } from './compare/report.js';
import type { ScaleFigures } from './scale/scale.js';
import { Drawing, FAINT, GRID } from './svg.js';
import { formatFigure } from './table.js';
import { HOST, RAZORFS } from './targets/own.js';

const RAZORFS_COLOUR = '#d1242f';
const HOST_COLOUR = '#57606a';
const PEER_COLOUR = '#9fb8d6';

const COMPARE_TITLE = 'RazorFS, the host and other FUSE file systems: the figures of each kind of work, as bars';
const SCALE_TITLE = 'Cost of operations in RazorFS against the number of files';

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
  const drawing = new Drawing(COMPARE_TITLE, COLUMNS * PANEL_WIDTH + 2 * MARGIN, lines * panelHeight + 2 * MARGIN);
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
  const { row, medians } = comparison;
  const note = row.unit === 'seconds' ? 'seconds, less is better' : row.unit;
  drawing.text(x, y + 12, row.label, { size: 12, bold: true });
  drawing.text(x + PANEL_WIDTH - 20, y + 12, note, { size: 10, colour: FAINT, end: true });
  const widest = Math.max(...medians.values());
  const room = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH - 20;
  for (const [index, { name }] of figures.entries()) {
    const top = y + 20 + index * (BAR_HEIGHT + 3);
    const value = medians.get(name);
    drawing.text(x, top + 11, name, { bold: name === RAZORFS });
    if (value === undefined) {
      drawing.text(x + NAME_WIDTH, top + 11, 'did not finish', { colour: FAINT });
      continue;
    }
    const width = Math.max(1, (value / widest) * room);
    drawing.rectangle(x + NAME_WIDTH, top, width, BAR_HEIGHT, colourOf(name));
    drawing.text(x + NAME_WIDTH + width + 4, top + 11, formatValue(row.unit, value));
  }
}

const SCALE_WIDTH = 420;
const SCALE_HEIGHT = 290;
const AXIS_LEFT = 48;
/** For the numbers of files and the names of the curves. */
const AXIS_BOTTOM = 60;

interface Curve {
  readonly label: string;
  readonly colour: string;
  /** Nanoseconds. */
  readonly of: (figures: ScaleFigures) => number;
}

const CURVES: readonly Curve[] = [
  { label: 'create', colour: '#d1242f', of: ({ create }) => create },
  { label: 'lookup + stat, cold', colour: '#0969da', of: ({ lookup }) => lookup },
  { label: 'unlink', colour: '#8250df', of: ({ unlink }) => unlink },
  { label: 'readdir + stat, cold, an entry', colour: '#1a7f37', of: ({ listStatus }) => listStatus },
];

/** A panel for each layout: microseconds an operation, against the number of files. */
export function scalePlot(figures: readonly ScaleFigures[]): string {
  const layouts = [...new Set(figures.map(({ layout }) => layout))];
  const drawing = new Drawing(SCALE_TITLE, layouts.length * (SCALE_WIDTH + MARGIN) + MARGIN, SCALE_HEIGHT + 2 * MARGIN);
  const highest = Math.max(...figures.flatMap((at) => CURVES.map(({ of }) => of(at)))) / 1000;
  for (const [index, layout] of layouts.entries()) {
    const left = MARGIN + index * (SCALE_WIDTH + MARGIN);
    drawing.text(
      left,
      MARGIN + 12,
      `Microseconds an operation, all files in ${layout === 'tree' ? 'a tree' : layout}`,
      {
        size: 12,
        bold: true,
      },
    );
    drawCurves(
      drawing,
      left,
      figures.filter((at) => at.layout === layout),
      highest,
    );
  }
  return drawing.toString();
}

function drawCurves(drawing: Drawing, left: number, figures: readonly ScaleFigures[], highest: number): void {
  const top = MARGIN + 30;
  const bottom = MARGIN + SCALE_HEIGHT - AXIS_BOTTOM;
  const width = SCALE_WIDTH - AXIS_LEFT - 40;
  const first = Math.log(figures[0].files);
  const range = Math.log(figures[figures.length - 1].files) - first || 1;
  const xOf = (files: number) => left + AXIS_LEFT + ((Math.log(files) - first) / range) * width;
  const yOf = (microseconds: number) => bottom - (microseconds / highest) * (bottom - top);
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const y = Math.round(yOf(part * highest));
    drawing.line(left + AXIS_LEFT, y, left + SCALE_WIDTH - 30, y, GRID);
    drawing.text(left + AXIS_LEFT - 6, y + 4, formatFigure(part * highest), { colour: FAINT, end: true });
  }
  for (const { files } of figures) {
    drawing.text(xOf(files) + 24, bottom + 16, formatCount(files), { colour: FAINT, end: true });
  }
  for (const [index, { label, colour, of }] of CURVES.entries()) {
    drawing.path(
      figures.map((at) => [xOf(at.files), yOf(of(at) / 1000)] as const),
      colour,
    );
    drawing.text(left + AXIS_LEFT + (index % 2) * 130, bottom + 36 + (index >> 1) * 15, label, { colour });
  }
}
