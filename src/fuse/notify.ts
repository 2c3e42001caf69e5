/**
 * Messages to the kernel that answer no request (enum fuse_notify_code): a fuse_out_header whose `unique` is 0 and whose
 * `error` is the code, then the struct of the code.
 *
 * The kernel may wait within the write(2) of an invalidation until pages are written back or an inode is gone, that is,
 * until this process has served other requests. So those are written on another thread.
 */
import { write } from 'node:fs';
import { constants } from 'node:os';
import type { Ino } from '../store/units.js';
import { FUSE_NOTIFY_INC_EPOCH, FUSE_NOTIFY_INVAL_ENTRY, FUSE_NOTIFY_INVAL_INODE, FUSE_NOTIFY_RESEND } from './abi.js';
import { fuse_notify_inval_entry_out, fuse_notify_inval_inode_out } from './abi-structs.js';
import { PAYLOAD, Reply } from './reply.js';

function message(code: number, payloadLength: number, fill: (message: Reply) => void): Uint8Array {
  const out = new Reply((PAYLOAD + payloadLength + 7) & ~7);
  fill(out);
  // The code stands where replies have the negated errno.
  const length = out.header(0, 0, -code, payloadLength);
  return out.bytes.subarray(0, length);
}

/**
 * Drops what the kernel caches of an inode: its attributes, and its data from `offset` on for `length` bytes (0: to the end),
 * written back first where it is dirty. A negative offset leaves the data alone.
 */
export function invalidateInode(ino: Ino, offset: number, length: number): Uint8Array {
  return message(FUSE_NOTIFY_INVAL_INODE, fuse_notify_inval_inode_out.sizeof, (out) => {
    out.u64(PAYLOAD + fuse_notify_inval_inode_out.ino, ino);
    out.u64(PAYLOAD + fuse_notify_inval_inode_out.off, offset);
    out.u64(PAYLOAD + fuse_notify_inval_inode_out.len, length);
  });
}

/** Drops a cached name, or the knowledge that there is none. */
export function invalidateEntry(parent: Ino, name: Uint8Array): Uint8Array {
  const payloadLength = fuse_notify_inval_entry_out.sizeof + name.length + 1;
  return message(FUSE_NOTIFY_INVAL_ENTRY, payloadLength, (out) => {
    out.u64(PAYLOAD + fuse_notify_inval_entry_out.parent, parent);
    out.u32(PAYLOAD + fuse_notify_inval_entry_out.namelen, name.length);
    out.bytes.set(name, PAYLOAD + fuse_notify_inval_entry_out.sizeof);
  });
}

/** Drops all cached names, where the kernel has epochs (kernel-version.ts). */
export function dropAllEntries(): Uint8Array {
  return message(FUSE_NOTIFY_INC_EPOCH, 0, () => undefined);
}

/** Asks for all requests that were read but not answered to be sent again, with FUSE_UNIQUE_RESEND set. */
export function resend(): Uint8Array {
  return message(FUSE_NOTIFY_RESEND, 0, () => undefined);
}

/**
 * Notifications under way at once. Each holds one of libuv's threads (4, unless UV_THREADPOOL_SIZE says otherwise), perhaps until a
 * read from disk is done that needs such a thread too: some must be left for those.
 */
const UNDER_WAY_MAX = 2;

/** Writes notifications to a device, off this thread. */
export class Notifier {
  readonly #fd: number;
  readonly #turns: (() => void)[] = [];
  readonly #sent = new Set<Promise<number>>();
  #underWay = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Resolves with 0 or the positive errno. ENOENT: the kernel does not know the inode. */
  send(notification: Uint8Array): Promise<number> {
    const sent: Promise<number> = this.#write(notification).finally(() => this.#sent.delete(sent));
    this.#sent.add(sent);
    return sent;
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> {
    while (this.#sent.size > 0) {
      await Promise.all(this.#sent);
    }
  }

  async #write(notification: Uint8Array): Promise<number> {
    while (this.#underWay >= UNDER_WAY_MAX) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    }
    this.#underWay++;
    const errno = await writeOffThread(this.#fd, notification);
    this.#underWay--;
    this.#turns.shift()?.();
    return errno;
  }
}

function writeOffThread(fd: number, message: Uint8Array): Promise<number> {
  return new Promise((resolve) => {
    write(fd, message, 0, message.length, null, (error) => {
      resolve(error === null || error === undefined ? 0 : -(error.errno ?? -constants.errno.EIO));
    });
  });
}
