/**
 * Names of new volumes and snapshots: those that somebody chose, and those that are made of a word and the time.
 */

/** A name, or the word in front of one that is free at the moment when it is taken: `PREFIX-TIME`. */
export type NewName = string | { readonly prefix: string };

/** The time as part of a name: `2026-11-20T14.03.09Z`. */
function timeInName(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '.')}Z`;
}

/** `PREFIX-TIME`, with a number behind it where that is taken. */
export function freeName(prefix: string, nowMs: number, isTaken: (name: string) => boolean): string {
  const name = `${prefix}-${timeInName(nowMs)}`;
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}.${number}`;
    if (!isTaken(candidate)) return candidate;
  }
}
