/**
 * Holds a writer's directory against its journal: nothing that had returned is missing or different.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from '../cli/program.js';
import { isBetween, type Operation, WorkModel, type XattrTable } from './work-model.js';

export interface Journal {
  readonly returned: readonly Operation[];
  /** What was going on when the writer was stopped. */
  readonly inDoubt: Operation | undefined;
}

export function readJournal(file: string): Journal {
  const returned: Operation[] = [];
  let begun: Operation | undefined;
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  for (const line of lines) {
    if (line.startsWith('begin ')) {
      begun = JSON.parse(line.slice('begin '.length));
    } else if (line === 'end' && begun !== undefined) {
      returned.push(begun);
      begun = undefined;
    }
  }
  return { returned, inDoubt: begun };
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
export function violations(directory: string, { returned, inDoubt }: Journal, xattrs: XattrTable): string[] {
  const before = new WorkModel();
  for (const operation of returned) {
    before.apply(operation);
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
