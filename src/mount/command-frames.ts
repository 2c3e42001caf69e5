/**
 * What goes over a control socket while a command runs (control-protocol.ts, `run`): frames, each with a header of 8 bytes.
 *
 *   byte   field
 *      0   bytes of the payload, 32 bits, little-endian
 *      4   kind, 32 bits: 1 output, 2 progress, 3 result, 4 failure, 5 input, 6 end of the input
 *      8   payload: bytes of output and input as they are, the others JSON
 *
 * Output, progress, and at last the result or the failure come from the process that runs the command; input goes to it.
 */

const KINDS = ['output', 'progress', 'result', 'failure', 'input', 'input-end'] as const;

export type FrameKind = (typeof KINDS)[number];

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

const HEADER_BYTES = 8;
/** More than any frame has: lists come as one. */
const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

export function encodeFrame(kind: FrameKind, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(KINDS.indexOf(kind) + 1, 4);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export const encodeJsonFrame = (kind: FrameKind, value: unknown): Buffer =>
  encodeFrame(kind, Buffer.from(JSON.stringify(value ?? null)));

/** Puts a stream of bytes together to frames; throws when it is none. */
export class FrameSplitter {
  #parts: Buffer[] = [];
  #length = 0;

  *split(chunk: Buffer): Generator<Frame> {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    for (let wanted = this.#wanted(); wanted <= this.#length; wanted = this.#wanted()) {
      const all = this.#joined();
      this.#parts = [all.subarray(wanted)];
      this.#length -= wanted;
      const kind = KINDS[all.readUInt32LE(4) - 1];
      if (kind === undefined) throw new Error('not a frame');
      yield { kind, payload: all.subarray(HEADER_BYTES, wanted) };
    }
  }

  /** Bytes of the next frame with its header, as far as that is known. */
  #wanted(): number {
    if (this.#length < HEADER_BYTES) return HEADER_BYTES;
    if (this.#parts[0]!.length < HEADER_BYTES) this.#parts = [this.#joined()];
    const payloadBytes = this.#parts[0]!.readUInt32LE(0);
    if (payloadBytes > PAYLOAD_BYTES_MAX) throw new Error('frame too long');
    return HEADER_BYTES + payloadBytes;
  }

  #joined(): Buffer {
    return this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#length);
  }
}
