/**
 * The words after `-o`, as mount(8) has them, for a RazorFS mount: what they ask of the kernel, and what of the file system.
 */
import { FuseError } from './fuse-error.js';

/** When reading a file moves its time of last access. The kernel leaves that to the file system. */
export type AccessTime = 'relatime' | 'noatime' | 'strictatime';

export interface MountOptions {
  readonly readOnly: boolean;
  /** Undefined: as the volume's property says. */
  readonly accessTime: AccessTime | undefined;
  /** Times of last access of directories stay as they are. */
  readonly nodiratime: boolean;
  /** Undefined: as is usual for whoever mounts, root or not. */
  readonly suid: boolean | undefined;
  readonly dev: boolean | undefined;
  readonly exec: boolean;
  readonly sync: boolean;
  readonly dirsync: boolean;
  /** Writes go to the file system at once instead of through the kernel's writeback cache. */
  readonly writethrough: boolean;
  /** Other users than the one who mounts may enter. Undefined: only when root mounts. */
  readonly allowOther: boolean | undefined;
  /** What stands as the source in the list of mounts; undefined: the store's path. */
  readonly fsname: string | undefined;
  /** Mount over a directory that has something in it. */
  readonly nonempty: boolean;
  /** The largest read request in bytes; undefined: as large as the protocol allows. */
  readonly maxRead: number | undefined;
}

type Changes = { -readonly [Key in keyof MountOptions]?: MountOptions[Key] };

const DEFAULTS: MountOptions = {
  readOnly: false,
  accessTime: undefined,
  nodiratime: false,
  suid: undefined,
  dev: undefined,
  exec: true,
  sync: false,
  dirsync: false,
  writethrough: false,
  allowOther: undefined,
  fsname: undefined,
  nonempty: false,
  maxRead: undefined,
};

const WORDS: ReadonlyMap<string, Changes> = new Map<string, Changes>([
  ['ro', { readOnly: true }],
  ['rw', { readOnly: false }],
  ['atime', { accessTime: 'relatime' }],
  ['relatime', { accessTime: 'relatime' }],
  ['noatime', { accessTime: 'noatime' }],
  ['strictatime', { accessTime: 'strictatime' }],
  ['diratime', { nodiratime: false }],
  ['nodiratime', { nodiratime: true }],
  ['suid', { suid: true }],
  ['nosuid', { suid: false }],
  ['dev', { dev: true }],
  ['nodev', { dev: false }],
  ['exec', { exec: true }],
  ['noexec', { exec: false }],
  ['sync', { sync: true }],
  ['async', { sync: false }],
  ['dirsync', { dirsync: true }],
  ['writethrough', { writethrough: true }],
  ['writeback', { writethrough: false }],
  ['allow_other', { allowOther: true }],
  ['noallow_other', { allowOther: false }],
  ['nonempty', { nonempty: true }],
  ['defaults', {}],
  // Always so.
  ['default_permissions', {}],
]);

/** Words of fstab(5) that speak to those who mount, not to the file system. */
const NOT_FOR_US: ReadonlySet<string> = new Set(['auto', 'noauto', 'user', 'nouser', 'users', 'nofail', '_netdev']);

function valueAfter(word: string, key: string): string | undefined {
  return word.startsWith(`${key}=`) ? word.slice(key.length + 1) : undefined;
}

function changesOf(word: string): Changes {
  const known = WORDS.get(word);
  if (known !== undefined) {
    return known;
  }
  if (NOT_FOR_US.has(word) || word.startsWith('x-') || word.startsWith('comment=')) {
    return {};
  }
  const fsname = valueAfter(word, 'fsname');
  if (fsname !== undefined && fsname !== '') {
    return { fsname };
  }
  const maxRead = valueAfter(word, 'max_read');
  if (maxRead !== undefined && /^[1-9][0-9]{0,9}$/.test(maxRead)) {
    return { maxRead: Number(maxRead) };
  }
  const accepted = [...WORDS.keys(), 'fsname=NAME', 'max_read=BYTES'].join(', ');
  throw new FuseError('mount-option', `The mount option "${word}" is not known.`, `Known are: ${accepted}.`);
}

/** Reads comma-separated words; where they contradict each other, the last one counts. */
export function parseMountOptions(words: string): MountOptions {
  const options: Changes & MountOptions = { ...DEFAULTS };
  for (const word of words.split(',')) {
    if (word.trim() !== '') {
      Object.assign(options, changesOf(word.trim()));
    }
  }
  return options;
}
