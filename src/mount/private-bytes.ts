/**
 * The memory of this process.
 */
import { readFileSync } from 'node:fs';

/** RAM that this process has for itself, in bytes (RssAnon, proc_pid_status(5)): without the mapped pages of the store. */
export function privateBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(match?.[1] ?? 0) * 1024;
}
