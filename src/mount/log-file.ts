/**
 * The daemon's log file: lines appended to `<store>/razorfs.log`, bounded in size. When it reaches its bound it becomes
 * `razorfs.log.1` (replacing the one before), so that a log takes at most twice the bound.
 *
 * A log that cannot be written (host full, host read-only) must not stop a file system: such lines are dropped and
 * counted, and the count is written as soon as that works again.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

export const LOG_FILE = 'razorfs.log';
export const LOG_FILE_BYTES_MAX = 8 * 1024 * 1024;

export class LogFile {
  readonly path: string;
  readonly #bytesMax: number;
  #fd = -1;
  #bytes = 0;
  #linesDropped = 0;

  constructor(path: string, bytesMax = LOG_FILE_BYTES_MAX) {
    this.path = path;
    this.#bytesMax = bytesMax;
  }

  /** Appends one line, which ends with a newline. Never throws. */
  write(line: string): void {
    try {
      this.#open();
      if (this.#linesDropped > 0) {
        const notice = `{"level":40,"time":${Date.now()},"msg":"log lines were lost: the log could not be written","lines":${this.#linesDropped}}\n`;
        this.#bytes += writeSync(this.#fd, notice);
        this.#linesDropped = 0;
      }
      this.#bytes += writeSync(this.#fd, line);
      if (this.#bytes >= this.#bytesMax) {
        this.close();
        renameSync(this.path, `${this.path}.1`);
      }
    } catch {
      this.#linesDropped++;
    }
  }

  close(): void {
    if (this.#fd >= 0) {
      closeSync(this.#fd);
      this.#fd = -1;
    }
  }

  #open(): void {
    if (this.#fd < 0) {
      this.#fd = openSync(this.path, 'a', 0o600);
      this.#bytes = fstatSync(this.#fd).size;
    }
  }
}
