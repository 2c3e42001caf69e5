/**
 * Mounting: a /dev/fuse descriptor attached to a mount point. By mount(2) as root, otherwise through fusermount3, which is
 * setuid, opens the device itself and passes the descriptor back over a socket (fusermount3(1), `_FUSE_COMMFD`).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { constants } from 'node:os';
import { errnoName, mount, openFuseDevice, receiveFileDescriptor, socketPair } from '../native/addon.js';
import { FuseError } from './fuse-error.js';
import type { MountOptions } from './mount-options.js';
import { checkMountPoint } from './mount-point.js';
import { READ_BYTES_MAX } from './negotiation.js';
import { FUSERMOUNT, fusermountMissing, isRoot } from './unmount.js';

const DEVICE = '/dev/fuse';
const SUBTYPE = 'razorfs';
/** How the kernel lists the mounts: `fuse.` and the subtype. */
const TYPE = `fuse.${SUBTYPE}`;

/** Flags of mount(2). */
const MS_RDONLY = 0x1;
const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MS_SYNCHRONOUS = 0x10;
const MS_DIRSYNC = 0x80;
const MS_NOATIME = 0x400;
const MS_NODIRATIME = 0x800;
const MS_RELATIME = 0x20_0000;
const MS_STRICTATIME = 0x100_0000;

/** The first descriptor after standard input, output and error: where fusermount3 finds the socket. */
const CHILD_SOCKET = 3;

/** S_IFDIR, in octal as the kernel wants it. */
const ROOT_MODE = '40000';

const { ENOENT, ENODEV, ENXIO, EACCES, EPERM, EBUSY } = constants.errno;

/** Mounts, and returns the descriptor to serve. Throws a `FuseError`. `source`: what the list of mounts shows. */
export function mountFuse(mountPoint: string, source: string, options: MountOptions): number {
  checkMountPoint(mountPoint, options.nonempty);
  if (!existsSync(DEVICE)) {
    throw noDevice();
  }
  return isRoot() ? mountAsRoot(mountPoint, source, options) : mountThroughFusermount(mountPoint, source, options);
}

const noDevice = (): FuseError =>
  new FuseError(
    'no-fuse',
    `There is no ${DEVICE}: the kernel's FUSE is not there.`,
    'Load it with: modprobe fuse (in a container, pass the device in: --device /dev/fuse).',
  );

const deviceRefused = (): FuseError =>
  new FuseError(
    'no-permission',
    `${DEVICE} may not be opened by this user.`,
    'Permit it with: chmod 0666 /dev/fuse (in a container, allow the device and the capability SYS_ADMIN).',
  );

function mountFlags(options: MountOptions): number {
  return (
    (options.readOnly ? MS_RDONLY : 0) |
    // Like any file system on a disk: root's mounts honour setuid programs and devices.
    (options.suid === false ? MS_NOSUID : 0) |
    (options.dev === false ? MS_NODEV : 0) |
    (options.exec ? 0 : MS_NOEXEC) |
    (options.sync ? MS_SYNCHRONOUS : 0) |
    (options.dirsync ? MS_DIRSYNC : 0) |
    (options.nodiratime ? MS_NODIRATIME : 0) |
    { relatime: MS_RELATIME, noatime: MS_NOATIME, strictatime: MS_STRICTATIME }[options.accessTime ?? 'relatime']
  );
}

function mountAsRoot(mountPoint: string, source: string, options: MountOptions): number {
  const fd = openFuseDevice();
  if (fd < 0) {
    throw openingFailed(fd);
  }
  const data = [
    `fd=${fd}`,
    `rootmode=${ROOT_MODE}`,
    `user_id=${process.getuid?.()}`,
    `group_id=${process.getgid?.()}`,
    'default_permissions',
    ...(options.allowOther === false ? [] : ['allow_other']),
    `max_read=${options.maxRead ?? READ_BYTES_MAX}`,
  ];
  const result = mount(options.fsname ?? source, mountPoint, TYPE, mountFlags(options), data.join(','));
  if (result < 0) {
    closeSync(fd);
    throw mountingFailed(result, mountPoint);
  }
  return fd;
}

function openingFailed(result: number): FuseError {
  switch (-result) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return noDevice();
    case EACCES:
    case EPERM:
      return deviceRefused();
    default:
      return new FuseError('mount-failed', `${DEVICE} cannot be opened: ${errnoName(result)}.`);
  }
}

function mountingFailed(result: number, mountPoint: string): FuseError {
  switch (-result) {
    case EPERM:
      return new FuseError(
        'no-permission',
        `The kernel does not let this process mount on ${mountPoint}.`,
        'It needs the capability CAP_SYS_ADMIN (in a container: --cap-add SYS_ADMIN --device /dev/fuse).',
      );
    case EBUSY:
      return new FuseError('busy', `${mountPoint} is in use by another mount.`, 'Unmount that, or choose another one.');
    case ENODEV:
      return noDevice();
    default:
      return new FuseError('mount-failed', `The kernel refuses to mount on ${mountPoint}: ${errnoName(result)}.`);
  }
}

/** A comma or backslash in a value would end it. */
const escapeValue = (value: string): string => value.replace(/[\\,]/g, '\\$&');

function fusermountWords(source: string, options: MountOptions): string {
  return [
    `fsname=${escapeValue(options.fsname ?? source)}`,
    `subtype=${SUBTYPE}`,
    'default_permissions',
    ...(options.readOnly ? ['ro'] : []),
    // nosuid and nodev are what fusermount3 begins with, and what it insists on for users.
    ...(options.suid === true ? ['suid'] : []),
    ...(options.dev === true ? ['dev'] : []),
    ...(options.exec ? [] : ['noexec']),
    ...(options.sync ? ['sync'] : []),
    ...(options.dirsync ? ['dirsync'] : []),
    ...(options.accessTime === 'noatime' ? ['noatime'] : []),
    ...(options.allowOther === true ? ['allow_other'] : []),
    `max_read=${options.maxRead ?? READ_BYTES_MAX}`,
  ].join(',');
}

function mountThroughFusermount(mountPoint: string, source: string, options: MountOptions): number {
  const pair = socketPair();
  if (typeof pair === 'number') {
    throw new FuseError('mount-failed', `A socket cannot be made: ${errnoName(pair)}.`);
  }
  const [ours, theirs] = pair;
  try {
    const run = spawnSync(FUSERMOUNT, ['-o', fusermountWords(source, options), '--', mountPoint], {
      env: { ...process.env, _FUSE_COMMFD: String(CHILD_SOCKET) },
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      encoding: 'utf8',
    });
    closeSync(theirs);
    if (run.error !== undefined) {
      throw fusermountMissing(run.error);
    }
    // By now the descriptor waits in the socket, or the other end is closed and none will come.
    const fd = run.status === 0 ? receiveFileDescriptor(ours) : -1;
    if (fd < 0) {
      throw fusermountFailed(run.stderr.trim(), mountPoint);
    }
    return fd;
  } finally {
    closeSync(ours);
  }
}

function fusermountFailed(said: string, mountPoint: string): FuseError {
  if (said.includes('user_allow_other')) {
    return new FuseError(
      'no-permission',
      'Other users may be let in (allow_other) only where the administrator permits it.',
      'Write a line "user_allow_other" into /etc/fuse.conf as root, mount as root, or leave allow_other out.',
    );
  }
  if (said.includes(DEVICE) && /permission denied/i.test(said)) {
    return deviceRefused();
  }
  if (/no write access|permission denied|not permitted/i.test(said)) {
    return new FuseError(
      'no-permission',
      `${FUSERMOUNT} does not let this user mount on ${mountPoint}: ${said}.`,
      'Choose a directory that belongs to you, or mount as root.',
    );
  }
  return new FuseError(
    'mount-failed',
    `${FUSERMOUNT} could not mount on ${mountPoint}: ${said || 'it did not say why'}.`,
  );
}
