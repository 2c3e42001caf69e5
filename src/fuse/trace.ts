/**
 * What the kernel asks for, made visible: a count for each opcode, which is always kept, and a line for each request, which is
 * written only when somebody listens.
 */
import { errnoName } from '../native/addon.js';
import { OPCODE_LIMIT, Opcode } from './abi.js';
import { BODY, type Request } from './request.js';

const NAMES: readonly string[] = (() => {
  const names = new Array<string>(OPCODE_LIMIT).fill('');
  for (const [name, opcode] of Object.entries(Opcode)) {
    names[opcode] = name;
  }
  return names;
})();

/** Opcodes whose body is, or ends in, a name; with the size of the struct before it. */
const NAME_AFTER: ReadonlyMap<number, number> = new Map([
  [Opcode.LOOKUP, 0],
  [Opcode.UNLINK, 0],
  [Opcode.RMDIR, 0],
  [Opcode.SYMLINK, 0],
  [Opcode.REMOVEXATTR, 0],
  [Opcode.MKDIR, 8],
  [Opcode.LINK, 8],
  [Opcode.RENAME, 8],
  [Opcode.SETXATTR, 8],
  [Opcode.GETXATTR, 8],
  [Opcode.MKNOD, 16],
  [Opcode.CREATE, 16],
  [Opcode.RENAME2, 16],
]);

/** Opcodes with a byte range, which fuse_read_in and fuse_write_in have at the same place. */
const RANGED: ReadonlySet<number> = new Set([Opcode.READ, Opcode.WRITE, Opcode.READDIR, Opcode.READDIRPLUS]);

export const opcodeName = (opcode: number): string => NAMES[opcode] || `opcode ${opcode}`;

/** One line for a request: `LOOKUP node 1 "name" uid 0 pid 77`. Fields that are not there, or make no sense, are left out. */
export function describeRequest(request: Request): string {
  let line = opcodeName(request.opcode);
  const add = (part: () => string) => {
    try {
      line += part();
    } catch {
      // A malformed field: the handler refuses it, there is nothing to show.
    }
  };
  add(() => ` node ${request.node()}`);
  const structSize = NAME_AFTER.get(request.opcode);
  if (structSize !== undefined) {
    add(() => ` ${JSON.stringify(Buffer.from(request.name(BODY + structSize)).toString())}`);
  }
  if (RANGED.has(request.opcode) && request.length >= BODY + 24) {
    add(() => ` ${request.u32(BODY + 16)}@${request.u64(BODY + 8)}`);
  }
  return `${line} uid ${request.caller.uid} pid ${request.caller.pid}${request.isResent ? ' (sent again)' : ''}`;
}

export class FuseTrace {
  /** How many requests of each opcode have come. Index 0 counts those of opcodes that are not known. */
  readonly counts = new Float64Array(OPCODE_LIMIT);
  /** Gets a line for each request and one for each answer that is given at once. */
  line: ((text: string) => void) | undefined;

  request(request: Request): void {
    this.counts[request.opcode < OPCODE_LIMIT ? request.opcode : 0]!++;
    if (this.line !== undefined) {
      this.line(`#${request.caller.request} ${describeRequest(request)}`);
    }
  }

  /** `error` is a positive errno, 0 for none; `length` the bytes of payload. */
  answer(request: Request, error: number, length: number): void {
    if (this.line !== undefined) {
      const result = error === 0 ? `${length} bytes` : errnoName(-error);
      this.line(`#${request.caller.request} = ${result}`);
    }
  }

  /** The counts that are not zero, by name. */
  report(): Record<string, number> {
    const report: Record<string, number> = {};
    for (const [opcode, count] of this.counts.entries()) {
      if (count > 0) {
        report[opcode === 0 ? 'unknown' : opcodeName(opcode)] = count;
      }
    }
    return report;
  }
}
