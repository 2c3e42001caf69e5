/**
 * Quotas on directories, of one tree: what each group uses must be what its inodes come to (volume/quota-groups.ts says what is
 * counted). That an inode counts for the group of its directory is judged with its other relations (inode-rules.ts).
 */
import type { QuotaRecord } from '../volume/quota-record.js';
import type { ErrorSink } from './findings.js';
import type { InodeRecord } from './inode-record.js';

interface Usage {
  bytes: number;
  inodes: number;
}

export class QuotaRules {
  readonly #used = new Map<number, Usage>();

  /** An inode, and the bytes that it counts with. */
  add({ quotaGroup: group }: InodeRecord, bytes: number): void {
    if (group === 0) return;
    const usage = this.#used.get(group) ?? { bytes: 0, inodes: 0 };
    this.#used.set(group, { bytes: usage.bytes + bytes, inodes: usage.inodes + 1 });
  }

  /** Compares with the tree's items, once all inodes were added. */
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
  }
}
