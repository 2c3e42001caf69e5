/**
 * What the commands on a store have in common: their target, how Ctrl-C ends them, and tables for people.
 */
import { constants } from 'node:os';
import type { CommandIo } from '../mount/command-client.js';
import type { ArgsOf, ResultOf, StoreCommandName } from '../mount/commands/registry.js';
import { runStoreCommand } from '../mount/run-command.js';

/** The first argument of each of them. */
export const TARGET = '<MNT|STORE>';
export const TARGET_MEANING = 'a mount point, or the directory of a store, mounted or not';

/** Runs a command on the store that `target` names. Ctrl-C gives it up, and leaves the store as it was or as it came to be. */
export async function onStore<Name extends StoreCommandName>(
  target: string,
  name: Name,
  args: ArgsOf<Name>,
  io: Omit<CommandIo, 'signal'> = {},
): Promise<ResultOf<Name>> {
  const abort = new AbortController();
  const handlers = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
    const handler = (): void => {
      process.exitCode = 128 + constants.signals[signal];
      abort.abort(new Error(`Ended by ${signal}`));
    };
    process.once(signal, handler);
    return [signal, handler] as const;
  });
  try {
    return await runStoreCommand(target, name, args, { ...io, signal: abort.signal });
  } finally {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  }
}

/** Lines of columns; the first row is the heading. Columns whose heading begins with a space are set right. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((heading, column) =>
    Math.max(heading.trim().length, ...rows.slice(1).map((row) => row[column]!.length)),
  );
  const isRight = (rows[0] ?? []).map((heading) => heading.startsWith(' '));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const text = cell.trim();
        return isRight[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
      })
      .join('  ')
      .trimEnd(),
  );
}
