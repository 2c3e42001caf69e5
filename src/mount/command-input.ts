/**
 * The input of a running command: a queue between the socket that it comes from and the command that reads it.
 */

export class CommandInput implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #onTaken: () => void;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** `onTaken` is called whenever the queue has become empty. */
  constructor(onTaken: () => void = () => undefined) {
    this.#onTaken = onTaken;
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The sender is gone before the end. */
  fail(error: Error): void {
    this.#failure = error;
    this.#wake?.();
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return;
      this.#onTaken();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
