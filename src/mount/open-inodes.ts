/**
 * Which files of a mount programs have open, as /proc tells (proc_pid_fdinfo(5)), without a question to the file system. Programs of
 * other users are seen by root only; those in other mount namespaces are not seen.
 *
 * Each descriptor of the machine is a file to read, which together takes tenths of a second: it is done in slices.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Slice } from '../volume/slice.js';
import { mounts } from './mount-table.js';

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // Gone meanwhile, or not ours to see.
    return '';
  }
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The inode numbers of the open files on a device (`major:minor`). */
export async function openInodes(device: string): Promise<ReadonlySet<number>> {
  const mountIds = new Set(mounts().flatMap((entry) => (entry.device === device ? [entry.id] : [])));
  const inodes = new Set<number>();
  const slice = new Slice();
  for (const pid of entriesOf('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of entriesOf(`/proc/${pid}/fdinfo`)) {
      if (slice.isOver) await slice.next();
      const text = textOf(`/proc/${pid}/fdinfo/${fd}`);
      const [, mountId] = /^mnt_id:\s+(\d+)$/m.exec(text) ?? [];
      const [, inode] = /^ino:\s+(\d+)$/m.exec(text) ?? [];
      if (mountId !== undefined && inode !== undefined && mountIds.has(Number(mountId))) inodes.add(Number(inode));
    }
  }
  return inodes;
}
