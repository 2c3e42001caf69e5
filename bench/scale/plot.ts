/**
 * Cost against the number of files, for the README: a column of panels for each layout, with the costs of operations above and
 * those of mounting and of checkpoints below.
 */
import { formatCount } from '../../src/cli/quantities.js';
import { Drawing, FAINT, GRID } from '../svg.js';
import type { ScaleFigures } from './scale.js';

const TITLE = 'Cost of operations, mounting and checkpoints in RazorFS against the number of files';

const WIDTH = 420;
const HEIGHT = 290;
const MARGIN = 12;
const AXIS_LEFT = 48;
/** For the numbers of files and the names of the curves. */
const AXIS_BOTTOM = 60;
const RED = '#d1242f';
const BLUE = '#0969da';
const PURPLE = '#8250df';
const GREEN = '#1a7f37';

interface Curve {
  readonly label: string;
  readonly colour: string;
  /** In the unit of the panel. */
  readonly of: (figures: ScaleFigures) => number;
}

interface Panel {
  readonly heading: string;
  readonly curves: readonly Curve[];
}

const PANELS: readonly Panel[] = [
  {
    heading: 'microseconds an operation',
    curves: [
      { label: 'create', colour: RED, of: ({ create }) => create / 1e3 },
      { label: 'lookup + stat, cold', colour: BLUE, of: ({ lookup }) => lookup / 1e3 },
      { label: 'unlink', colour: PURPLE, of: ({ unlink }) => unlink / 1e3 },
      { label: 'readdir + stat, cold, an entry', colour: GREEN, of: ({ listStatus }) => listStatus / 1e3 },
    ],
  },
  {
    heading: 'milliseconds',
    curves: [
      { label: 'mount after kill -9', colour: RED, of: ({ crashMountMilliseconds }) => crashMountMilliseconds },
      { label: 'mount', colour: BLUE, of: ({ mountMilliseconds }) => mountMilliseconds },
      {
        label: 'longest reply around a checkpoint',
        colour: GREEN,
        of: ({ longestReplyInCheckpoint }) => longestReplyInCheckpoint / 1e6,
      },
    ],
  },
];

/** Quarters of a scale are 1, 2, 2.5 or 5 times a power of ten. */
const STEPS = [1, 2, 2.5, 5, 10];
const AXIS_PARTS = 4;

/** The end of a scale from 0 that has room for a value. */
function scaleEnd(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value / AXIS_PARTS));
  const step = STEPS.find((candidate) => candidate * power * AXIS_PARTS >= value) ?? 10;
  return step * power * AXIS_PARTS;
}

export function scalePlot(figures: readonly ScaleFigures[]): string {
  const layouts = [...new Set(figures.map(({ layout }) => layout))];
  const width = layouts.length * (WIDTH + MARGIN) + MARGIN;
  const drawing = new Drawing(TITLE, width, PANELS.length * (HEIGHT + MARGIN) + MARGIN);
  for (const [line, panel] of PANELS.entries()) {
    const end = scaleEnd(Math.max(...figures.flatMap((at) => panel.curves.map(({ of }) => of(at)))));
    for (const [column, layout] of layouts.entries()) {
      const left = MARGIN + column * (WIDTH + MARGIN);
      const top = MARGIN + line * (HEIGHT + MARGIN);
      const heading = `Files in ${layout === 'tree' ? 'a tree' : layout}: ${panel.heading}`;
      drawing.text(left, top + 12, heading, { size: 12, bold: true });
      const shown = figures.filter((at) => at.layout === layout);
      drawCurves(drawing, left, top, panel.curves, shown, end);
    }
  }
  return drawing.toString();
}

/** `end`: where the vertical axis ends. */
function drawCurves(
  drawing: Drawing,
  left: number,
  panelTop: number,
  curves: readonly Curve[],
  figures: readonly ScaleFigures[],
  end: number,
): void {
  const top = panelTop + 30;
  const bottom = panelTop + HEIGHT - AXIS_BOTTOM;
  const width = WIDTH - AXIS_LEFT - 40;
  const first = Math.log(figures[0].files);
  const range = Math.log(figures[figures.length - 1].files) - first || 1;
  const xOf = (files: number) => left + AXIS_LEFT + ((Math.log(files) - first) / range) * width;
  const yOf = (value: number) => bottom - (value / end) * (bottom - top);
  for (let part = 0; part <= AXIS_PARTS; part++) {
    const value = (part * end) / AXIS_PARTS;
    const y = Math.round(yOf(value));
    drawing.line(left + AXIS_LEFT, y, left + WIDTH - 30, y, GRID);
    drawing.text(left + AXIS_LEFT - 6, y + 4, String(value), { colour: FAINT, end: true });
  }
  for (const { files } of figures) {
    drawing.text(xOf(files) + 24, bottom + 16, formatCount(files), { colour: FAINT, end: true });
  }
  for (const [index, { label, colour, of }] of curves.entries()) {
    drawing.path(
      figures.map((at) => [xOf(at.files), yOf(of(at))] as const),
      colour,
    );
    drawing.text(left + AXIS_LEFT + (index % 2) * 140, bottom + 36 + (index >> 1) * 15, label, { colour });
  }
}
