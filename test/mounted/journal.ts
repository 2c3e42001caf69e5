/**
 * Holds a writer's directory against its journal: nothing that had returned is missing or different.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from '../cli/program.js';
import { isBetween, type Operation, WorkModel, type XattrTable } from './work-model.js';

/** An operation, and when it began and returned: milliseconds since the machine was started. */
export interface Entry {
  readonly operation: Operation;
  readonly begunMs: number;
  /** Undefined: it had not returned when the writer was stopped, and is the last. */
  readonly endedMs: number | undefined;
}

export function readJournal(file: string): Entry[] {
  return existsSync(file) ? parseJournal(readFileSync(file, 'utf8')) : [];
}

export function parseJournal(text: string): Entry[] {
  const entries: Entry[] = [];
  // What comes after the last line's end is nothing, or a line that was cut off.
  for (const line of text.split('\n').slice(0, -1)) {
    const [, word, milliseconds, operation] = /^(begin|end) (\d+)(?: (.*))?$/.exec(line)!;
    if (word === 'begin') {
      entries.push({ operation: JSON.parse(operation!), begunMs: Number(milliseconds), endedMs: undefined });
    } else {
      entries.push({ ...entries.pop()!, endedMs: Number(milliseconds) });
    }
  }
  return entries;
}

/** The user's attributes of all files below a directory, by getfattr(1). */
export async function readXattrs(directory: string): Promise<XattrTable> {
  const table = new Map<string, Map<string, string>>();
  const { stdout } = await run('getfattr', ['-R', '-h', '-d', '-m', '^user\\.', '--absolute-names', directory]);
  let current = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const file = /^# file: (.*)$/.exec(line)?.[1];
    const [, name, value] = /^([^=]+)="(.*)"$/.exec(line) ?? [];
    if (file !== undefined) {
      current = new Map();
      table.set(path.relative(directory, file), current);
    } else if (name !== undefined) {
      current.set(name, value!);
    }
  }
  return table;
}

/** The part of a table that is below a directory of it. */
export function below(table: XattrTable, directory: string): XattrTable {
  const prefix = `${directory}/`;
  const inside = [...table].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, attributes]) => [name.slice(prefix.length), attributes]));
}

/** How the directory breaks the promise, or nothing. */
export function violations(directory: string, journal: readonly Entry[], xattrs: XattrTable): string[] {
  const before = new WorkModel();
  let inDoubt: Operation | undefined;
  for (const { operation, endedMs } of journal) {
    if (endedMs === undefined) inDoubt = operation;
    else before.apply(operation);
  }
  const asBefore = before.differences(directory, xattrs);
  if (asBefore.length === 0 || inDoubt === undefined) {
    return asBefore;
  }
  const after = before.copy();
  after.apply(inDoubt);
  const file = WorkModel.contentChangedBy(inDoubt);
  const asAfter = after.differences(directory, xattrs, file);
  if (
    asAfter.length === 0 &&
    (file === undefined || isContentBetween(path.join(directory, file), file, before, after))
  ) {
    return [];
  }
  return [
    `with ${JSON.stringify(inDoubt)} in doubt, neither the state before it:`,
    ...asBefore,
    'nor after:',
    ...asAfter,
  ];
}

function isContentBetween(full: string, name: string, before: WorkModel, after: WorkModel): boolean {
  const contents = [before, after].flatMap((model) => {
    const node = model.nodes.get(name);
    return node?.kind === 'file' ? [node.content] : [];
  });
  return isBetween(readFileSync(full), contents);
}
