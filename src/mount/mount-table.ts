/**
 * The kernel's list of mounts, as /proc/self/mountinfo tells it (format: proc_pid_mountinfo(5)), and the RazorFS mounts in
 * it. The source of a RazorFS mount is the absolute path of its store, which is how a mount leads to its daemon.
 */
import { readFileSync } from 'node:fs';

/** The file system type under which the kernel lists RazorFS mounts. */
export const FILE_SYSTEM_TYPE = 'fuse.razorfs';

export interface MountEntry {
  /** Tells mounts apart, also those of one file system (mnt_id). */
  readonly id: number;
  readonly mountPoint: string;
  /** The directory of the file system that is shown there: `/`, or another one for a bind mount. */
  readonly root: string;
  readonly type: string;
  readonly source: string;
  /** Options of the mount and of the file system, as words. */
  readonly options: readonly string[];
  /** The `major:minor` of files on it; the minor number names the connection under /sys/fs/fuse/connections. */
  readonly device: string;
}

/** Undoes the octal escapes (`\040` for a space) that the kernel writes into paths. */
function unescapePath(field: string): string {
  if (!field.includes('\\')) {
    return field;
  }
  const bytes = Buffer.from(field, 'latin1');
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; length++) {
    const octal = bytes[at] === 0x5c ? bytes.toString('latin1', at + 1, at + 4) : '';
    if (/^[0-3][0-7]{2}$/.test(octal)) {
      out[length] = Number.parseInt(octal, 8);
      at += 4;
    } else {
      out[length] = bytes[at++]!;
    }
  }
  return out.toString('latin1', 0, length);
}

/** Paths are bytes to the kernel: they are taken apart as latin1 and only then read as UTF-8. */
const asText = (field: string): string => Buffer.from(unescapePath(field), 'latin1').toString('utf8');

/** Parses the text of a mountinfo file (read as latin1). Lines that do not have the form are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const separator = line.indexOf(' - ');
    if (separator < 0) {
      continue;
    }
    const [id, , device, root, mountPoint, options] = line.slice(0, separator).split(' ');
    const [type, source, superOptions] = line.slice(separator + 3).split(' ');
    if (device === undefined || root === undefined || mountPoint === undefined) continue;
    if (type === undefined || source === undefined) continue;
    entries.push({
      id: Number(id),
      mountPoint: asText(mountPoint),
      root: asText(root),
      type,
      source: asText(source),
      options: [...(options ?? '').split(','), ...(superOptions ?? '').split(',')].filter((word) => word !== ''),
      device,
    });
  }
  return entries;
}

/** All mounts of this process' mount namespace, in the order in which they were made. */
export function mounts(): MountEntry[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
}

export function razorfsMounts(): MountEntry[] {
  return mounts().filter((entry) => entry.type === FILE_SYSTEM_TYPE);
}

/** The mount that is visible at exactly `mountPoint` (an absolute path): the last one made there. */
export function mountAt(mountPoint: string): MountEntry | undefined {
  return mounts().findLast((entry) => entry.mountPoint === mountPoint);
}

/** A place at which files of a device can be seen: of a mount, or of a part of it that is bound there. */
export function placeOfDevice(device: string): string | undefined {
  const entries = mounts().filter((entry) => entry.device === device);
  return entries.find(({ mountPoint }) => mountAt(mountPoint)?.device === device)?.mountPoint;
}

/** The mount points within a directory, itself included, except for `aside`. */
export function mountPointsBelow(directory: string, aside: string): string[] {
  const points = mounts().map(({ mountPoint }) => mountPoint);
  return points.filter((point) => point !== aside && (point === directory || point.startsWith(`${directory}/`)));
}

/** The RazorFS mounts of the store at `store` (an absolute path). */
export function mountsOfStore(store: string): MountEntry[] {
  return razorfsMounts().filter((entry) => entry.source === store);
}
