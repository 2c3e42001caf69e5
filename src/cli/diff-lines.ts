/**
 * How a comparison is shown to people: one line a change, counts and sizes, or the changed lines of text.
 */
import { createTwoFilesPatch } from 'diff';
import type { ChangeReport, FileReport } from '../mount/commands/diff.js';
import type { Aspect, ChangeType } from '../volume/file-change.js';
import { formatBytes, formatNumberOf } from './quantities.js';
import { quotedPath } from './quoted-path.js';

const LETTERS: Readonly<Record<ChangeType, string>> = {
  added: '+',
  removed: '-',
  modified: 'M',
  renamed: 'R',
  retyped: 'T',
  linked: '+',
  unlinked: '-',
};

/** Lines of files that have next to nothing in common are not compared for longer than this. */
const PATCH_MS_MAX = 2000;

const octal = (mode: number): string => mode.toString(8).padStart(3, '0');

function shownPath({ path, before, after }: ChangeReport): string {
  const isDirectory = (after ?? before)?.type === 'directory';
  return `${quotedPath(path) || '.'}${isDirectory && path.text !== '' ? '/' : ''}`;
}

/** What differs, in words; empty where the letter says it all. */
function details(report: ChangeReport): string {
  const { change, aspects, before, after } = report;
  if (change === 'linked') return 'another name of a file';
  if (change === 'unlinked') return 'the file has other names';
  if (before === undefined || after === undefined) return '';
  if (change === 'retyped') return `${before.type} → ${after.type}`;
  return aspects
    .map((aspect) => aspectWords(aspect, report, before, after))
    .filter((words) => words !== '')
    .join(', ');
}

function aspectWords(aspect: Aspect, { change, aspects }: ChangeReport, before: FileReport, after: FileReport): string {
  switch (aspect) {
    case 'data':
      return change === 'renamed' ? 'data' : '';
    case 'mode':
      return `mode ${octal(before.mode)} → ${octal(after.mode)}`;
    case 'owner':
      return `owner ${before.uid} → ${after.uid}`;
    case 'group':
      return `group ${before.gid} → ${after.gid}`;
    case 'mtime':
      return aspects.includes('data') ? '' : 'mtime';
    case 'xattrs':
      return 'xattrs';
  }
}

/** `M path`, `R old → new`, … */
export function changeLine(report: ChangeReport): string {
  const words = details(report);
  const from =
    report.change === 'renamed' && report.pathBefore !== undefined ? `${quotedPath(report.pathBefore)} → ` : '';
  return `${LETTERS[report.change]} ${from}${shownPath(report)}${words === '' ? '' : `  (${words})`}`;
}

const sizeOf = (file: FileReport | undefined): number => (file?.type === 'file' ? file.size : 0);
const signedBytes = (bytes: number): string => `${bytes < 0 ? '-' : '+'}${formatBytes(Math.abs(bytes))}`;

/** The size of a file at the first of its names. */
function sizeOnce(file: FileReport | undefined, seen: Set<number>): number {
  if (file === undefined || file.links < 2) return sizeOf(file);
  if (seen.has(file.ino)) return 0;
  seen.add(file.ino);
  return sizeOf(file);
}

/** Counts of changes, and what they add to the sizes of files. */
export class DiffStat {
  readonly counts: Record<ChangeType, number> = {
    added: 0,
    removed: 0,
    modified: 0,
    renamed: 0,
    retyped: 0,
    linked: 0,
    unlinked: 0,
  };
  /** What is added to the sizes of all files, bytes. */
  growth = 0;
  /** Files with several names that have been added up, in each state: all their names may come or go. */
  readonly #before = new Set<number>();
  readonly #after = new Set<number>();

  add({ change, before, after }: ChangeReport): void {
    this.counts[change]++;
    // Another name of a file adds nothing.
    if (change === 'linked' || change === 'unlinked') return;
    this.growth += sizeOnce(after, this.#after) - sizeOnce(before, this.#before);
  }

  get line(): string {
    const parts = Object.entries(this.counts).filter(([, count]) => count > 0);
    if (parts.length === 0) return 'no changes';
    return `${parts.map(([change, count]) => `${formatNumberOf(count, '', '').trim()} ${change}`).join(', ')}; ${signedBytes(this.growth)}`;
  }
}

/** A line of `--stat`: how the size of a file has changed. */
export function statLine(report: ChangeReport): string {
  const { before, after } = report;
  const [old, now] = [sizeOf(before), sizeOf(after)];
  const isFile = before?.type === 'file' || after?.type === 'file';
  const sizes =
    before === undefined || after === undefined || old === now
      ? formatBytes(Math.max(old, now))
      : `${formatBytes(old)} → ${formatBytes(now)}, ${signedBytes(now - old)}`;
  return `${changeLine(report)}${isFile ? `  | ${sizes}` : ''}`;
}

/** The changed lines of a file as patch(1) takes them; empty for a change that has none. Bytes are characters of latin1. */
export function patchOf(report: ChangeReport): string {
  const { texts, path, pathBefore, before, after } = report;
  if (texts === undefined || (texts.before !== null && texts.before === texts.after)) return '';
  const names = {
    old: before === undefined ? '/dev/null' : quotedPath(pathBefore ?? path, 'a/'),
    now: after === undefined ? '/dev/null' : quotedPath(path, 'b/'),
  };
  // Names are text, contents are bytes: both end up as characters that stand for one byte each.
  const [oldName, newName] = [names.old, names.now].map((name) => Buffer.from(name).toString('latin1'));
  if (texts.before === null || texts.after === null) return `Binary files ${oldName} and ${newName} differ\n`;
  const [old, now] = [texts.before, texts.after].map((content) => Buffer.from(content, 'base64').toString('latin1'));
  const options = { context: 3, timeout: PATCH_MS_MAX };
  const patch = createTwoFilesPatch(oldName, newName, old, now, undefined, undefined, options);
  if (patch === undefined) return `Files ${oldName} and ${newName} differ\n`;
  // Only the first lines are names: there may be such lines among the contents.
  return patch.replace(/^=+\n.*\n.*\n/, () => `--- ${headerName(oldName)}\n+++ ${headerName(newName)}\n`);
}

/** patch(1) takes a name to end at its first space, unless there is a tab after it. */
const headerName = (name: string): string => (name.includes(' ') ? `${name}\t` : name);
