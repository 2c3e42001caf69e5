/**
 * Requests as the kernel would write them, and a service to put them to, for tests without a device.
 */

import type { FileSystemOperations } from '../../src/filesystem/operations.js';
import { Opcode } from '../../src/fuse/abi.js';
import { FailureLog } from '../../src/fuse/failure-log.js';
import { Service, type ServiceOptions } from '../../src/fuse/service.js';
import { FuseTrace } from '../../src/fuse/trace.js';

export interface Answer {
  readonly length: number;
  /** Positive, 0 for none. */
  readonly errno: number;
  readonly unique: bigint;
  readonly payload: Buffer;
}

export function answerIn(bytes: Uint8Array, length: number): Answer {
  const reply = Buffer.from(bytes.subarray(0, length));
  return {
    length: reply.readUInt32LE(0),
    errno: -reply.readInt32LE(4),
    unique: reply.readBigUInt64LE(8),
    payload: reply.subarray(16),
  };
}

/** Numbers of 4 bytes, of 8 bytes (bigint), and text as it is. */
export function body(...parts: (number | bigint | string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      const bytes = Buffer.alloc(typeof part === 'bigint' ? 8 : 4);
      switch (typeof part) {
        case 'number':
          bytes.writeUInt32LE(part >>> 0);
          return bytes;
        case 'bigint':
          bytes.writeBigUInt64LE(BigInt.asUintN(64, part));
          return bytes;
        case 'string':
          return Buffer.from(part, 'latin1');
        default:
          return Buffer.from(part);
      }
    }),
  );
}

export function request(opcode: number, node: bigint, unique: bigint, content: Uint8Array): Buffer {
  const message = Buffer.concat([Buffer.alloc(40), content]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt32LE(opcode, 4);
  message.writeBigUInt64LE(unique, 8);
  message.writeBigUInt64LE(node, 16);
  return message;
}

/** A body that makes sense for each opcode, for a file system with a file `f` (inode 2) and a directory `d` (inode 3). */
export const VALID_BODIES: readonly (readonly [opcode: number, node: bigint, content: Buffer])[] = [
  [Opcode.LOOKUP, 1n, body('f\0')],
  [Opcode.FORGET, 2n, body(1n)],
  [Opcode.GETATTR, 2n, body(0, 0, 0n)],
  [Opcode.SETATTR, 2n, body(0xfff, 0, 0n, 10n, 0n, 1n, 2n, 3n, 4, 5, 6, 0o644, 0, 1, 1, 0)],
  [Opcode.READLINK, 4n, body()],
  [Opcode.SYMLINK, 1n, body('name\0target\0')],
  [Opcode.MKNOD, 1n, body(0o100644, 0, 0o22, 0, 'node\0')],
  [Opcode.MKDIR, 3n, body(0o755, 0o22, 'dir\0')],
  [Opcode.UNLINK, 1n, body('node\0')],
  [Opcode.RMDIR, 3n, body('dir\0')],
  [Opcode.RENAME, 1n, body(3n, 'a\0b\0')],
  [Opcode.LINK, 1n, body(2n, 'link\0')],
  [Opcode.OPEN, 2n, body(0, 0)],
  [Opcode.READ, 2n, body(0n, 0n, 4096, 0, 0n, 0, 0)],
  [Opcode.WRITE, 2n, body(0n, 5n, 4, 4, 0n, 0, 0, 'data')],
  [Opcode.STATFS, 1n, body()],
  [Opcode.RELEASE, 2n, body(0n, 0, 0, 0n)],
  [Opcode.FSYNC, 2n, body(0n, 0, 0)],
  [Opcode.SETXATTR, 2n, body(5, 0, 'user.name\0value')],
  [Opcode.SETXATTR, 2n, body(5, 0, 1, 0, 'user.other\0value')],
  [Opcode.GETXATTR, 2n, body(100, 0, 'user.name\0')],
  [Opcode.LISTXATTR, 2n, body(100, 0)],
  [Opcode.REMOVEXATTR, 2n, body('user.name\0')],
  [Opcode.FLUSH, 2n, body(0n, 0, 0, 0n)],
  [Opcode.INIT, 0n, body(7, 45, 131072, -1, -1, Buffer.alloc(44))],
  [Opcode.OPENDIR, 1n, body(0, 0)],
  [Opcode.READDIR, 1n, body(0n, 0n, 4096, 0, 0n, 0, 0)],
  [Opcode.RELEASEDIR, 1n, body(0n, 0, 0, 0n)],
  [Opcode.FSYNCDIR, 1n, body(0n, 0, 0)],
  [Opcode.ACCESS, 1n, body(4, 0)],
  [Opcode.CREATE, 1n, body(0, 0o644, 0o22, 0, 'new\0')],
  [Opcode.INTERRUPT, 0n, body(8n)],
  [Opcode.BMAP, 2n, body(0n, 512, 0)],
  [Opcode.DESTROY, 0n, body()],
  [Opcode.IOCTL, 2n, body(0n, 0, 0, 0n, 0, 0)],
  [Opcode.POLL, 2n, body(0n, 0n, 0, 0)],
  [Opcode.BATCH_FORGET, 0n, body(2, 0, 2n, 1n, 3n, 1n)],
  [Opcode.FALLOCATE, 2n, body(0n, 0n, 5000n, 1, 0)],
  [Opcode.READDIRPLUS, 1n, body(0n, 0n, 4096, 0, 0n, 0, 0)],
  [Opcode.RENAME2, 1n, body(3n, 1, 0, 'a\0b\0')],
  [Opcode.LSEEK, 2n, body(0n, 0n, 3, 0)],
  [Opcode.COPY_FILE_RANGE, 2n, body(0n, 0n, 2n, 0n, 100n, 10n, 0n)],
  [Opcode.SYNCFS, 1n, body(0n)],
  [Opcode.TMPFILE, 1n, body(0, 0o600, 0o22, 0, '/\0')],
  [Opcode.STATX, 2n, body(0, 0, 0n, 0, 0xfff)],
  [Opcode.COPY_FILE_RANGE_64, 2n, body(0n, 0n, 2n, 0n, 100n, 10n, 0n)],
];

/** Opcodes without a reply. */
export const SILENT: ReadonlySet<number> = new Set([Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.NOTIFY_REPLY]);

/** A service on `filesystem`, with what it sent later and logged. */
export class ServiceUnderTest {
  readonly service: Service;
  /** Answers that were not given at once. */
  readonly sent: Answer[] = [];
  readonly failures: string[] = [];
  readonly notifications: Buffer[] = [];
  refused: Error | undefined;

  constructor(filesystem: FileSystemOperations, changes: Partial<ServiceOptions> = {}) {
    this.service = new Service({
      filesystem,
      device: -1,
      writebackCache: true,
      initialised: false,
      trace: new FuseTrace(),
      failures: new FailureLog({ error: (_details, message) => this.failures.push(message) }),
      answer: (reply, length) => this.sent.push(answerIn(reply.bytes, length)),
      send: (reply, length) => this.sent.push(answerIn(reply.bytes, length)),
      notify: async (notification) => {
        this.notifications.push(Buffer.from(notification));
        return 0;
      },
      onInitialised: () => undefined,
      onRefused: (error) => {
        this.refused = error;
      },
      ...changes,
    });
  }

  /** Serves a message; undefined when there is no answer now. */
  serve(message: Uint8Array): Answer | undefined {
    this.service.request.bytes.set(message);
    const length = this.service.serve(message.length);
    return length === 0 ? undefined : answerIn(this.service.reply.bytes, length);
  }
}
