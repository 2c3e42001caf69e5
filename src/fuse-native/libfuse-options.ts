/**
 * The words after -o for libfuse 2 (mount.fuse(8) of its version 2.9).
 */
import { FuseNativeError } from './fuse-native-error.js';

/** How a mount is to be made; `undefined` stands for what is usual for whoever mounts. */
export interface LibfuseOptions {
  readonly readOnly: boolean;
  readonly accessTime: 'relatime' | 'noatime' | 'strictatime' | undefined;
  readonly suid: boolean | undefined;
  readonly dev: boolean | undefined;
  readonly exec: boolean;
  readonly sync: boolean;
  readonly dirsync: boolean;
  readonly allowOther: boolean | undefined;
  readonly fsname: string | undefined;
  /** Bytes. */
  readonly maxRead: number | undefined;
}

/** Bytes that fuse-native has room for, each of the mount point and the options. */
const BYTES_MAX = 1023;
/** Bytes of one write; the most that libfuse 2 takes. Without big_writes it would be a page. */
const WRITE_BYTES_MAX = 131_072;
/** Seconds. This process is the only one that changes names, and the kernel asks it to. */
const ENTRY_SECONDS = 3600;
/**
 * Seconds. To libfuse's path callbacks the names of a hard-linked file are files of their own, and the kernel keeps the attributes of
 * each: what is changed by one name would show by the other only when these have expired. It makes walking a tree that was just
 * walked, as git status does, two to three times as long as with a second.
 */
const ATTRIBUTE_SECONDS = 0;

/** A comma or backslash in a value would end it. */
const escapeValue = (value: string): string => value.replace(/[\\,]/g, '\\$&');

const words = (source: string, options: LibfuseOptions, isRoot: boolean): string[] => [
  `fsname=${escapeValue(options.fsname ?? source)}`,
  'subtype=razorfs',
  'default_permissions',
  // Inode numbers that are ours: by libfuse's own, two names of one file would look like two files.
  'use_ino',
  'big_writes',
  `max_write=${WRITE_BYTES_MAX}`,
  `entry_timeout=${ENTRY_SECONDS}`,
  `attr_timeout=${ATTRIBUTE_SECONDS}`,
  ...(options.readOnly ? ['ro'] : []),
  // libfuse begins with nosuid and nodev. Like any file system on a disk, root's mounts honour setuid programs and devices.
  ...((options.suid ?? isRoot) ? ['suid'] : []),
  ...((options.dev ?? isRoot) ? ['dev'] : []),
  ...(options.exec ? [] : ['noexec']),
  ...(options.sync ? ['sync'] : []),
  ...(options.dirsync ? ['dirsync'] : []),
  ...(options.accessTime === 'noatime' ? ['noatime'] : []),
  ...(options.maxRead === undefined ? [] : [`max_read=${options.maxRead}`]),
];

/** The words for a mount of `source` on `mountPoint`. Throws `FuseNativeError` for what cannot be had this way. */
export function libfuseOptions(mountPoint: string, source: string, options: LibfuseOptions): string {
  if (options.allowOther === true) {
    throw new FuseNativeError(
      'mount-option',
      'fuse-native does not tell who makes a file, so that only the user who mounts may enter: no allow_other.',
      'Leave allow_other out, or leave --transport out.',
    );
  }
  const text = words(source, options, process.getuid?.() === 0).join(',');
  for (const [what, value] of [
    ['mount point', mountPoint],
    ['list of options', text],
  ] as const) {
    if (Buffer.byteLength(value) > BYTES_MAX) {
      const message = `fuse-native takes at most ${BYTES_MAX} bytes, and the ${what} is longer: ${value}.`;
      throw new FuseNativeError('mount-option', message, 'Use a shorter path, or leave --transport out.');
    }
  }
  return text;
}
