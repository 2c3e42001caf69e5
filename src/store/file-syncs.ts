/**
 * The syncs of one open file.
 *
 * The kernel tells that something could not be written once for each open file (fsync(2), NOTES; errseq_check_and_advance): of several
 * syncs at the same time one fails, and the others, which waited for the same pages, do not. So a sync is good only when no
 * other that it overlaps with fails, and after a failure none is good any more.
 */
export class FileSyncs {
  /** The negative errno of the first failure, or 0. */
  #failure = 0;
  readonly #underWay = new Set<Promise<number>>();

  /** Runs a sync on another thread. `sync` and the result: 0 or a negative errno. */
  async inBackground(sync: () => Promise<number>): Promise<number> {
    if (this.#failure !== 0) return this.#failure;
    const own = sync();
    this.#underWay.add(own);
    this.#note(await own);
    this.#underWay.delete(own);
    // Those that are under way now began before this one ended.
    for (const result of await Promise.all(this.#underWay)) this.#note(result);
    return this.#failure;
  }

  /** The same at once. What a sync on another thread finds, it does not wait for. */
  atOnce(sync: () => number): number {
    if (this.#failure === 0) this.#note(sync());
    return this.#failure;
  }

  #note(result: number): void {
    this.#failure ||= result;
  }
}
