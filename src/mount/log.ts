/**
 * What the daemon says: structured lines (pino) into the store's log file, and for a mount in the foreground also plain
 * lines on the terminal.
 */
import { type Logger, pino } from 'pino';
import type { LogFile } from './log-file.js';

export type { Logger } from 'pino';

const LEVEL_NAMES: Readonly<Record<number, string>> = { 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' };
/** Fields of every line, which say nothing to somebody at a terminal. */
const UNTOLD_FIELDS = new Set(['level', 'time', 'pid', 'msg']);

function fieldText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) {
    return String(value.message);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Turns one line of the log into one for a person: `14:03:09 warning: message (field value, field value)`. */
export function humanLine(line: string): string {
  const record: Record<string, unknown> = JSON.parse(line);
  const fields = Object.entries(record)
    .filter(([name]) => !UNTOLD_FIELDS.has(name))
    .map(([name, value]) => (name === 'err' ? fieldText(value) : `${name} ${fieldText(value)}`));
  const time = new Date(Number(record.time)).toTimeString().slice(0, 8);
  const level = LEVEL_NAMES[Number(record.level)] ?? '';
  return `${time} ${level}${String(record.msg)}${fields.length > 0 ? ` (${fields.join(', ')})` : ''}\n`;
}

/** Receives lines for a person. */
export type Terminal = (line: string) => void;

/** The log of one mount. `terminal` receives human lines where somebody watches. */
export function openLog(file: LogFile | undefined, terminal: Terminal | undefined): Logger {
  const destination = {
    write(line: string): void {
      file?.write(line);
      terminal?.(humanLine(line));
    },
  };
  return pino({ base: { pid: process.pid } }, destination);
}
