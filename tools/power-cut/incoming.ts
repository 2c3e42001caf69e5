/**
 * What comes over a socket, to be taken by length.
 */
import type { Socket } from 'node:net';

export class Incoming {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #hasEnded = false;
  #onChange = (): void => {};

  constructor(socket: Socket) {
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#onChange();
    });
    // An error is followed by the close.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#onChange();
    });
  }

  /** The next so many bytes. Throws when the connection ends before. One at a time. */
  async take(length: number): Promise<Buffer> {
    while (this.#bytes < length) {
      if (this.#hasEnded) throw new Error('the connection has ended');
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [all.subarray(length)];
    this.#bytes -= length;
    return all.subarray(0, length);
  }
}
