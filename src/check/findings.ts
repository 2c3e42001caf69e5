/**
 * What a check finds: one line each for people, one JSON object each for programs.
 *
 * A finding says what is wrong, where, and what that means for the user. Errors make the check fail; notes do not.
 */

export type Severity = 'error' | 'note';

/** Every kind of finding, and what `--repair` does about it. */
export const REPAIRS = {
  'superblock-slot': 'write the superblock slot anew',
  file: 'make missing store files again, as far as what they held is not needed',
  references: 'write the page reference counts anew, as counted',
  page: 'build the tree anew without the pages that cannot be read; entries in lost pages are found again where possible',
  item: 'drop items that no file can have',
  'lost-record': 'give files and directories whose inode record is lost a new one, under /lost+found',
  root: 'make the root directory anew',
  'inode-record': 'put fields of inode records that are out of range into their range',
  'entry-count': 'correct the counts of entries',
  'xattr-count': 'correct the counts of extended attributes',
  'link-count': 'correct the link counts',
  name: 'drop names that cannot be read or are not allowed; what they named goes to /lost+found as #INODE',
  'dangling-entry': 'drop names of files that do not exist',
  'entry-type': 'correct the type in directory entries',
  'directory-names': 'leave each directory one name, in the directory that it says it is in',
  parent: 'correct the parents that directories name',
  unreachable: 'put what no name leads to under /lost+found, as #INODE',
  cycle: 'take directories that contain themselves out of their loop, to /lost+found',
  orphan: 'correct the list of files that are kept open without a name',
  quota: 'correct what quotas on directories count',
  xattr: 'drop extended attributes that cannot be read',
  symlink: 'drop symlinks whose target cannot be read',
  extent: 'move files whose data is damaged to /lost+found, as #INODE.damaged with the bytes as they are found',
  'extent-length': 'cut data off that lies beyond the end of its file',
  'blob-missing': 'move files whose data is gone to /lost+found, as empty #INODE.lost',
  'blob-shared': 'leave the data to one of its files; the others go to /lost+found, as empty #INODE.lost',
  'blob-unowned': 'put data that no file owns under /lost+found, as #blob-NUMBER',
  part: 'drop parts of files that cannot be, and move those files to /lost+found, as #INODE.damaged',
  'dead-blob': 'correct the list of data to be deleted',
  'live-bytes': 'correct the counts of bytes in use in strings and packs',
  shared: 'correct the counts of how often names and data are used',
  dying: 'correct the list of what is being destroyed',
  dataset: 'correct the list of volumes and snapshots; volumes that it lost are found again where possible',
  snapshot: 'drop snapshots that are damaged',
  counter: 'correct the totals',
  log: 'set the log aside',
  'log-pending': '',
  'blob-longer': '',
  'blob-left-over': '',
  'unknown-file': '',
} as const;

export type FindingCode = keyof typeof REPAIRS;

export interface Finding {
  readonly severity: Severity;
  readonly code: FindingCode;
  /** In the words of the format: `page 812`, `inode 17`, `refs.a block 3`. */
  readonly where: string;
  readonly problem: string;
  /** What it means for the user; empty where the problem says it all. */
  readonly effect: string;
  readonly ino?: number;
  /** Where the file is in the tree, when that could be found out. */
  readonly path?: string;
}

/** Receives findings as they are made. */
export type FindingListener = (finding: Finding) => void;

/** Receives progress: a stage in words, and how much of it is done. `total` is 0 where it is not known. */
export type ProgressListener = (stage: string, done: number, total: number) => void;

/** Passes findings on and counts them by code. */
export class Findings implements ErrorSink {
  readonly #listener: FindingListener;
  readonly errorsByCode = new Map<FindingCode, number>();
  errors = 0;
  notes = 0;

  constructor(listener: FindingListener) {
    this.#listener = listener;
  }

  error(
    code: FindingCode,
    where: string,
    problem: string,
    effect = '',
    file: Pick<Finding, 'ino' | 'path'> = {},
  ): void {
    this.errors++;
    this.errorsByCode.set(code, (this.errorsByCode.get(code) ?? 0) + 1);
    this.#listener({ severity: 'error', code, where, problem, effect, ...file });
  }

  note(code: FindingCode, where: string, problem: string, effect = ''): void {
    this.notes++;
    this.#listener({ severity: 'note', code, where, problem, effect });
  }

  has(code: FindingCode): boolean {
    return this.errorsByCode.has(code);
  }
}

/** What findings are reported to: all of them, or those of one tree. */
export interface ErrorSink {
  error(code: FindingCode, where: string, problem: string, effect?: string, file?: Pick<Finding, 'ino' | 'path'>): void;
}

/** Findings in the tree of a volume or snapshot. What another tree has been found to have too, as they share it, is not repeated. */
export class TreeFindings implements ErrorSink {
  readonly #findings: Findings;
  readonly #prefix: string;
  readonly #reported: Set<string>;
  readonly codes = new Set<FindingCode>();
  errors = 0;

  /** `prefix` comes before what a finding is about; `reported` is the same for all trees of a check. */
  constructor(findings: Findings, prefix: string, reported: Set<string>) {
    this.#findings = findings;
    this.#prefix = prefix;
    this.#reported = reported;
  }

  error(
    code: FindingCode,
    where: string,
    problem: string,
    effect = '',
    file: Pick<Finding, 'ino' | 'path'> = {},
  ): void {
    this.errors++;
    this.codes.add(code);
    const key = `${code} ${where} ${problem}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#findings.error(code, `${this.#prefix}${where}`, problem, effect, file);
  }
}

/** Where nobody wants to know. */
export const NO_FINDINGS = new Findings(() => undefined);

/** The line for people. */
export function findingLine(finding: Finding): string {
  const path = finding.path === undefined ? '' : ` (${finding.path})`;
  const effect = finding.effect === '' ? '' : `; ${finding.effect}`;
  return `${finding.severity}: ${finding.where}${path}: ${finding.problem}${effect}`;
}
