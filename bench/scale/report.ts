/**
 * The figures of the scale bench as Markdown.
 */
import { formatBytes, formatCount } from '../../src/cli/quantities.js';
import { formatFigure, formatMicroseconds, formatMilliseconds, markdownTable } from '../table.js';
import type { Layout, ScaleFigures } from './scale.js';

type Row = readonly [label: string, figure: (figures: ScaleFigures) => string];

const ROWS: readonly Row[] = [
  ['create, µs', (at) => formatMicroseconds(at.create)],
  ['lookup + stat, cold, µs', (at) => formatMicroseconds(at.lookup)],
  ['readdir, cold, µs an entry', (at) => formatMicroseconds(at.list)],
  ['readdir + stat, cold, µs an entry', (at) => formatMicroseconds(at.listStatus)],
  ['unlink, µs', (at) => formatMicroseconds(at.unlink)],
  ['longest create, ms', (at) => formatMilliseconds(at.longestCreate)],
  ['longest reply without a checkpoint, ms', (at) => formatMilliseconds(at.longestReply)],
  ['longest reply around a checkpoint, ms', (at) => formatMilliseconds(at.longestReplyInCheckpoint)],
  ['mount, ms', (at) => formatFigure(at.mountMilliseconds)],
  ['umount, ms', (at) => formatFigure(at.umountMilliseconds)],
  ['mount after kill -9, ms', (at) => formatFigure(at.crashMountMilliseconds)],
  ['… of it recovery, ms', (at) => formatFigure(at.recoveryMilliseconds)],
  ['… of a log of', (at) => formatBytes(at.logBytes)],
  ['… operations replayed', (at) => formatCount(at.operationsReplayed)],
  ['memory of the daemon', (at) => formatBytes(at.anonymousBytes)],
  ['… and mapped pages in RAM', (at) => formatBytes(at.mappedBytes)],
  ['metadata, bytes a file', (at) => at.metadataBytesPerFile.toFixed(0)],
  ['on disk without the log, bytes a file', (at) => at.allocatedBytesPerFile.toFixed(0)],
];

/** One table for a layout: a row a figure, a column a size. */
export function scaleTable(figures: readonly ScaleFigures[]): string {
  const layout: Layout = figures[0].layout;
  const heading = [`${layout}, files`, ...figures.map((at) => formatCount(at.files))];
  return markdownTable(
    heading,
    ROWS.map(([label, figure]) => [label, ...figures.map(figure)]),
  );
}
