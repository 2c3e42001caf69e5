/**
 * What happens to a serving process from outside of its mount: signals, and failures that nothing caught.
 */
import type { Logger } from './log.js';

/** As EX_SOFTWARE in sysexits.h. */
const EXIT_UNCAUGHT = 70;

/**
 * Unmounts on SIGTERM and SIGINT, and on SIGHUP where the terminal is this process' own; a daemon outlives the terminal from
 * which it was started.
 *
 * After an uncaught failure the process ends at once, and keeps what it has on disk for recovery: what it has in memory can
 * be trusted no longer. Its supervisor starts another one.
 */
export function watchProcess(service: { stop(reason: string): void }, log: Logger, hasTerminal: boolean): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => service.stop(signal));
  }
  process.on('SIGHUP', () => {
    if (hasTerminal) {
      service.stop('SIGHUP');
    }
  });
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'unexpected failure: ending, for another process to recover');
    process.exit(EXIT_UNCAUGHT);
  });
  process.removeAllListeners('warning');
  process.on('warning', (warning) => log.warn({ err: warning }, 'warning from Node.js'));
}
