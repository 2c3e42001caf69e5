/**
 * How far a command is, in one line on standard error that is written over; nothing where that is no terminal.
 */

/** The line is not written more often than this. */
const INTERVAL_MS = 100;
const CLEAR = '\r\x1b[K';

export class ProgressLine {
  #shownAtMs = Number.NEGATIVE_INFINITY;

  show(text: string): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownAtMs < INTERVAL_MS) return;
    this.#shownAtMs = now;
    process.stderr.write(`${CLEAR}${text}`);
  }

  /** Leaves this as the last word. */
  end(text: string): void {
    if (process.stderr.isTTY) process.stderr.write(`${CLEAR}${text}\n`);
  }
}
