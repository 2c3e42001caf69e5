/**
 * Holds a writer's directory, as it is after a loss of power, against its journal and the promises of the README.
 *
 * - The metadata is that of a prefix of the operations: at least of all that were followed by an fsync or a snapshot that returned,
 *   and of all that had returned some time before the cut.
 * - The data of a file is exact as of its last fsync, of the last snapshot, of its last rename that is there, and of changes old
 *   enough. Where it was changed since, each byte is an old one, a new one, or zero, and the size lies between.
 * - A snapshot that had returned is there, and one that is there is exact.
 *
 * Several writers share a log: what one did before another began something that is there, is there too.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Entry } from './journal.js';
import { readSeen, type Seen, type SeenNode, treeProblem } from './seen-tree.js';
import { type Node, WorkModel } from './work-model.js';

/** The end of what is lost, in milliseconds on the journals' clock: all that had returned before is durable. */
export type SafeUntil = number;

export interface WriterPast {
  readonly entries: readonly Entry[];
  /** How many operations the directory may show; ascending. */
  readonly prefixes: readonly number[];
}

/** How a file was changed by the operation of that index. */
interface Change {
  readonly index: number;
  readonly content: Buffer;
  /** The bytes that may be old, new or zero while it is not durable. */
  readonly from: number;
  readonly to: number;
  readonly sizeMin: number;
}

interface FilePast {
  readonly changes: Change[];
  /** Operations as of which the data is exact: whatever else is there, and if they are there themselves. */
  readonly synced: number[];
  readonly renamed: number[];
}

const EMPTY = Buffer.alloc(0);
const DIFFERENCES_SHOWN = 5;

/** What the directory may show. Problems, or at least one prefix. */
export interface Verdict {
  readonly prefixes: readonly number[];
  readonly problems: readonly string[];
}

export function judge(directory: string, entries: readonly Entry[], safeUntil: SafeUntil): Verdict {
  const seen = readSeen(directory);
  const least = durablePrefix(entries, safeUntil);
  const past = new Past(entries, safeUntil);
  const model = new WorkModel();
  const prefixes: number[] = [];
  const problems: string[] = [];
  let earlier = -1;
  for (let prefix = 0; prefix <= entries.length; prefix++) {
    const problem = treeProblem(model, seen);
    if (problem === undefined && prefix < least) earlier = prefix;
    if (problem === undefined && prefix >= least) {
      const wrong = past.contentProblems(model, seen, prefix);
      if (wrong.length === 0) prefixes.push(prefix);
      else problems.push(`as after ${prefix} operations, but ${wrong.slice(0, DIFFERENCES_SHOWN).join('; ')}`);
    } else if (prefix === least || prefix === entries.length) {
      problems.push(`not as after ${prefix} operations: ${problem}`);
    }
    const entry = entries[prefix];
    if (entry !== undefined) past.apply(model, entry, prefix);
  }
  if (prefixes.length > 0) return { prefixes, problems: [] };
  const shown = earlier < 0 ? 'no prefix' : `only the first ${earlier}`;
  return { prefixes, problems: [`${least} of ${entries.length} operations must be there, but ${shown}`, ...problems] };
}

/** So many operations must be there. */
function durablePrefix(entries: readonly Entry[], safeUntil: SafeUntil): number {
  return (
    1 +
    entries.findLastIndex(
      ({ operation, endedMs }) => endedMs !== undefined && (isSync(operation) || endedMs < safeUntil),
    )
  );
}

function isSync(operation: Entry['operation']): boolean {
  return operation.op === 'fsync' || operation.op === 'snapshot' || ('isSynced' in operation && operation.isSynced);
}

/** The changes of all files, known by the operation that made them. */
class Past {
  readonly #files = new Map<number, FilePast>();
  readonly #ids = new WeakMap<Node, number>();
  readonly #safe: number;

  constructor(entries: readonly Entry[], safeUntil: SafeUntil) {
    this.#safe = entries.findLastIndex(({ endedMs }) => endedMs !== undefined && endedMs < safeUntil);
    const model = new WorkModel();
    for (const [index, entry] of entries.entries()) {
      this.#record(model, entry, index);
    }
  }

  /** Applies an operation to a model, and knows what it makes. */
  apply(model: WorkModel, { operation }: Entry, index: number): void {
    model.apply(operation);
    const node = model.nodes.get(operation.path);
    if (node !== undefined && !this.#ids.has(node)) this.#ids.set(node, index);
  }

  #file(node: Node): FilePast {
    const id = this.#ids.get(node)!;
    const known = this.#files.get(id) ?? { changes: [], synced: [], renamed: [] };
    this.#files.set(id, known);
    return known;
  }

  #record(model: WorkModel, entry: Entry, index: number): void {
    const { operation, endedMs } = entry;
    const before = contentAt(model, operation.path);
    if (operation.op === 'rename') {
      const moved = model.nodes.get(operation.path)!;
      const isSame = moved === model.nodes.get(operation.to);
      if (moved.kind === 'file' && !isSame) this.#file(moved).renamed.push(index);
    }
    this.apply(model, entry, index);
    const node = model.nodes.get(operation.path);
    if (WorkModel.contentChangedBy(operation) !== undefined) {
      const content = contentAt(model, operation.path);
      const { from, to } = changedRange(entry.operation, before.length);
      const sizeMin = operation.op === 'write' ? 0 : Math.min(before.length, content.length);
      this.#file(node!).changes.push({ index, content, from, to, sizeMin });
    }
    if (endedMs === undefined || !isSync(operation)) return;
    if (operation.op === 'snapshot') {
      for (const file of this.#files.values()) file.synced.push(index);
    } else if (node?.kind === 'file') {
      this.#file(node).synced.push(index);
    }
  }

  /** What is wrong with the data of a tree that has the names of the model after so many operations. */
  contentProblems(model: WorkModel, seen: Seen, prefix: number): string[] {
    const problems: string[] = [];
    for (const [name, node] of model.nodes) {
      if (node.kind !== 'file') continue;
      const { changes, synced, renamed } = this.#file(node);
      const exact = Math.max(this.#safe, synced.at(-1) ?? -1, renamed.findLast((index) => index < prefix) ?? -1);
      const problem = contentProblem(seen.get(name)!, changes, exact);
      if (problem !== undefined) problems.push(`${name} ${problem}`);
    }
    return problems;
  }
}

function contentAt(model: WorkModel, name: string): Buffer {
  const node = model.nodes.get(name);
  return node?.kind === 'file' ? node.content : EMPTY;
}

function changedRange(operation: Entry['operation'], sizeBefore: number): { from: number; to: number } {
  switch (operation.op) {
    case 'append':
      return { from: sizeBefore, to: Number.POSITIVE_INFINITY };
    case 'truncate':
      return { from: Math.min(operation.length, sizeBefore), to: Number.POSITIVE_INFINITY };
    case 'overwrite':
      return { from: operation.at, to: operation.at + operation.length };
    default:
      return { from: 0, to: Number.POSITIVE_INFINITY };
  }
}

/** `exact`: the operation as of which the data is durable. */
function contentProblem({ content }: SeenNode, changes: readonly Change[], exact: number): string | undefined {
  const base = changes.findLast(({ index }) => index <= exact)?.content ?? EMPTY;
  const later = changes.filter(({ index }) => index > exact);
  const sizes = [base.length, ...later.map((change) => change.content.length)];
  const sizeMin = Math.min(base.length, ...later.map((change) => change.sizeMin));
  const sizeMax = Math.max(...sizes);
  if (content.length < sizeMin || content.length > sizeMax) {
    return `has ${content.length} bytes, not ${sizeMin}${sizeMax > sizeMin ? ` to ${sizeMax}` : ''}`;
  }
  const at = content.findIndex((byte, at) => {
    if (byte === (base[at] ?? 0)) return false;
    const touching = later.filter(({ from, to }) => at >= from && at < to);
    if (touching.length > 0 && byte === 0) return false;
    return !touching.some((change) => byte === change.content[at]);
  });
  if (at < 0) return undefined;
  const shown = content.subarray(at & ~15, (at & ~15) + 16).toString('hex');
  return `has a wrong byte at ${at} of ${content.length} (${later.length} changes not synced): ${shown}`;
}

/**
 * What is wrong with the snapshots that a writer took: where they show its directory is told by `shownIn`, whether or not they are there.
 */
export function snapshotProblems(entries: readonly Entry[], shownIn: (snapshot: string) => string): string[] {
  const problems: string[] = [];
  const model = new WorkModel();
  for (const { operation, endedMs } of entries) {
    if (operation.op !== 'snapshot') {
      model.apply(operation);
      continue;
    }
    const directory = shownIn(operation.name);
    if (existsSync(directory)) {
      const wrong = model.differences(directory, new Map());
      problems.push(...wrong.map((what) => `snapshot ${operation.name}: ${what}`));
    } else if (endedMs !== undefined) {
      problems.push(`snapshot ${operation.name} had returned, and is not there`);
    }
  }
  return problems;
}

/** Whether what several writers' directories show can be the prefix of what they did together; else why not. */
export function orderProblem(writers: readonly WriterPast[]): string | undefined {
  const shown = writers.map(({ prefixes }) => prefixes[0]!);
  for (let isSettled = false; !isSettled; ) {
    isSettled = true;
    for (const [number, { entries, prefixes }] of writers.entries()) {
      for (const [other, past] of writers.entries()) {
        const last = past.entries[shown[other]! - 1];
        const needed = last === undefined ? 0 : endedBefore(entries, last.begunMs);
        if (shown[number]! >= needed) continue;
        const next = prefixes.find((prefix) => prefix >= needed);
        if (next === undefined) {
          const what = `${shown[other]} operations of writer ${other}, the last of them begun after ${needed}`;
          return `there are ${what} operations of writer ${number} had returned, and only ${prefixes.at(-1)} of these`;
        }
        shown[number] = next;
        isSettled = false;
      }
    }
  }
  return undefined;
}

/** How many operations had returned before that time. */
function endedBefore(entries: readonly Entry[], milliseconds: number): number {
  return 1 + entries.findLastIndex(({ endedMs }) => endedMs !== undefined && endedMs < milliseconds);
}

/** The path of a file of a snapshot, below a mount. */
export function inSnapshot(mountPoint: string, snapshot: string, ...names: string[]): string {
  return path.join(mountPoint, '.razorfs/snapshots', snapshot, ...names);
}
