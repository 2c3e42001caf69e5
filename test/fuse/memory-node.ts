/**
 * An inode of the filesystem in memory: its attributes, its data, and for a directory its entries.
 */
import { EFBIG } from '../../src/errors/errno.js';
import { Attributes, isDirectory, S_ISGID, S_ISUID, S_IXGRP } from '../../src/filesystem/attributes.js';
import type { TimeChange } from '../../src/filesystem/operations.js';
import type { Ino } from '../../src/store/units.js';

/** So that requests made at random do not take all memory. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export class MemoryNode {
  readonly attributes = new Attributes();
  readonly entries = new Map<string, Ino>();
  readonly xattrs = new Map<string, Buffer>();
  data: Buffer = Buffer.from(new ArrayBuffer(0));
  /** For a directory, what `..` is. */
  parent: Ino;

  constructor(ino: Ino, parent: Ino, mode: number, uid: number, gid: number) {
    this.parent = parent;
    Object.assign(this.attributes, { ino, mode, uid, gid, nlink: isDirectory(mode) ? 2 : 1 });
    this.touch('atime', 'mtime', 'ctime', 'btime');
  }

  touch(...which: ('atime' | 'mtime' | 'ctime' | 'btime')[]): void {
    const now = Date.now();
    for (const name of which) {
      this.attributes[`${name}Seconds`] = Math.floor(now / 1000);
      this.attributes[`${name}Nanoseconds`] = (now % 1000) * 1_000_000;
    }
  }

  fill(out: Attributes): void {
    Object.assign(out, this.attributes);
    out.size = isDirectory(this.attributes.mode) ? this.entries.size : this.data.length;
    out.blocks = Math.ceil(this.data.length / 512);
  }

  setTime(name: 'atime' | 'mtime' | 'ctime', change: TimeChange | undefined): void {
    if (change === 'now') {
      this.touch(name);
    } else if (change !== undefined) {
      this.attributes[`${name}Seconds`] = change.seconds;
      this.attributes[`${name}Nanoseconds`] = change.nanoseconds;
    }
  }

  killPrivileges(): void {
    const { mode } = this.attributes;
    this.attributes.mode = mode & ~(S_ISUID | ((mode & S_IXGRP) === 0 ? 0 : S_ISGID));
  }

  resize(size: number): void {
    if (size > FILE_BYTES_MAX) {
      throw EFBIG;
    }
    const { data } = this;
    if (size <= data.length) {
      this.data = data.subarray(0, size);
      return;
    }
    if (data.byteOffset + size > data.buffer.byteLength) {
      this.data = Buffer.from(new ArrayBuffer(Math.max(4096, 2 * size))).subarray(0, size);
      data.copy(this.data);
    } else {
      this.data = Buffer.from(data.buffer, data.byteOffset, size);
      this.data.fill(0, data.length);
    }
  }
}
