/**
 * Damage found on disk. Callers of a filesystem operation see EIO; the operator sees this message in the log.
 */
export class CorruptionError extends Error {
  /** What was damaged, in the words of the on-disk format: `page 812`, `string at 40960`, `blob 17`. */
  readonly where: string;
  /** What is wrong with it. */
  readonly problem: string;

  constructor(where: string, problem: string) {
    super(`${where}: ${problem}`);
    this.name = 'CorruptionError';
    this.where = where;
    this.problem = problem;
  }
}
