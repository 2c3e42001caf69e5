/**
 * Quotas on directories, of one tree: what each group uses must be what its inodes come to, and an inode counts for the group of the
 * directory that it is in (volume/quota-groups.ts says what is counted, and where groups begin).
 */
import { isDirectory } from '../volume/mode.js';
import type { QuotaRecord } from '../volume/quota-record.js';
import type { ErrorSink } from './findings.js';
import type { InodeRecord } from './inode-record.js';

interface Usage {
  bytes: number;
  inodes: number;
}

/** An inode in a directory, and the group that the directory should be of by its account. */
interface Child {
  readonly ino: number;
  readonly group: number;
}

export class QuotaRules {
  readonly #used = new Map<number, Usage>();
  /** Groups of directories, where they are of any. */
  readonly #directories = new Map<number, number>();
  /** By directory the first that was seen, and all that do not agree with that one. */
  readonly #firsts = new Map<number, Child>();
  readonly #others: [directory: number, child: Child][] = [];

  /** An inode, and the bytes that it counts with. `quotas`: all of the tree. */
  add(ino: number, record: InodeRecord, bytes: number, quotas: ReadonlyMap<number, QuotaRecord>): void {
    const { quotaGroup: group } = record;
    if (group !== 0) {
      const usage = this.#used.get(group) ?? { bytes: 0, inodes: 0 };
      this.#used.set(group, { bytes: usage.bytes + bytes, inodes: usage.inodes + 1 });
      if (isDirectory(record.mode)) this.#directories.set(ino, group);
    }
    // Without a name it is nowhere, and a file with several names may not know any of them.
    if (quotas.size === 0 || record.nlink === 0 || record.parent === 0) return;
    const above = quotas.get(group)?.directory === ino ? 0 : group;
    const first = this.#firsts.get(record.parent);
    if (first === undefined) this.#firsts.set(record.parent, { ino, group: above });
    else if (first.group !== above) this.#others.push([record.parent, { ino, group: above }]);
  }

  /** Compares with the tree's items and directories, once all inodes were added. */
  judge(quotas: ReadonlyMap<number, QuotaRecord>, findings: ErrorSink): void {
    for (const group of this.#used.keys()) {
      if (quotas.has(group)) continue;
      const problem = 'missing, but inodes count for it';
      findings.error('quota', `quota group ${group}`, problem, 'they cannot be changed');
    }
    for (const [group, { bytesUsed, inodesUsed }] of quotas) {
      const { bytes, inodes } = this.#used.get(group) ?? { bytes: 0, inodes: 0 };
      const where = `quota group ${group}`;
      if (inodes !== inodesUsed) findings.error('quota', where, `counts ${inodesUsed} inodes, has ${inodes}`);
      // Sums beyond 2^53 are not exact here.
      if (bytes !== bytesUsed && bytes <= Number.MAX_SAFE_INTEGER) {
        findings.error('quota', where, `counts ${bytesUsed} bytes, its files have ${bytes}`);
      }
    }
    this.#judgePlaces(findings);
  }

  #judgePlaces(findings: ErrorSink): void {
    for (const [directory, { ino, group }] of [...this.#firsts, ...this.#others]) {
      const above = this.#directories.get(directory) ?? 0;
      if (group === above) continue;
      const problem = `counts for quota group ${group}, but inode ${directory}, which it is in, for ${above}`;
      findings.error('quota', `inode ${ino}`, problem, 'it takes what belongs to others, or takes without limit');
    }
  }
}
