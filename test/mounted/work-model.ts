/**
 * What a directory must hold after a series of operations: the operations of `writer.ts`, the model they lead to, and the
 * comparison of the model with the directory on disk.
 *
 * An operation that had not returned when its process was stopped is in doubt: namespace operations have happened wholly or
 * not at all; a file that was being written has at each byte the old content, the new one, or zero.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** Content is told by its seed and length; see `contentOf`. Paths are relative to the writer's directory. */
export type Operation =
  /** Written from the beginning, or at the end, or over bytes that are there; then closed, and fsynced before that if it says so. */
  | {
      readonly op: 'write' | 'append';
      readonly path: string;
      readonly seed: number;
      readonly length: number;
      readonly isSynced: boolean;
    }
  | {
      readonly op: 'overwrite';
      readonly path: string;
      readonly seed: number;
      readonly at: number;
      readonly length: number;
      readonly isSynced: boolean;
    }
  | { readonly op: 'truncate'; readonly path: string; readonly length: number }
  | { readonly op: 'mkdir'; readonly path: string }
  | { readonly op: 'rmdir'; readonly path: string }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'rename'; readonly path: string; readonly to: string }
  | { readonly op: 'link'; readonly path: string; readonly to: string }
  | { readonly op: 'symlink'; readonly path: string; readonly target: string }
  | { readonly op: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly op: 'setxattr'; readonly path: string; readonly name: string; readonly value: string }
  /** Of a file, or of a directory; the writer's own is the empty path. */
  | { readonly op: 'fsync'; readonly path: string }
  /** Of the whole volume. */
  | { readonly op: 'snapshot'; readonly path: ''; readonly name: string };

export type Node =
  | { readonly kind: 'file'; content: Buffer; mode: number; xattrs: Map<string, string> }
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string };

export const MODE_OF_NEW_FILES = 0o640;
const PATTERN_BYTES = 16;

/** Bytes that tell whose they are: each 16 of them name the seed and their own place. */
export function contentOf(seed: number, length: number): Buffer {
  const content = Buffer.alloc(Math.ceil(length / PATTERN_BYTES) * PATTERN_BYTES);
  for (let at = 0; at < length; at += PATTERN_BYTES) {
    content.writeUInt32LE(seed >>> 0, at);
    content.writeUInt32LE(at, at + 4);
    content.writeUInt32LE(Math.imul(seed ^ at, 0x9e37_79b1) >>> 0, at + 8);
    content.writeUInt32LE(0x7a6f_7266, at + 12);
  }
  return content.subarray(0, length);
}

export class WorkModel {
  /** By path; hard links share their node. */
  readonly nodes = new Map<string, Node>();

  /** The paths of one kind. */
  paths(kind: Node['kind']): string[] {
    return [...this.nodes].filter(([, node]) => node.kind === kind).map(([name]) => name);
  }

  isEmptyDirectory(name: string): boolean {
    return ![...this.nodes.keys()].some((other) => other.startsWith(`${name}/`));
  }

  apply(operation: Operation): void {
    const { nodes } = this;
    switch (operation.op) {
      case 'write':
        this.#write(operation.path, contentOf(operation.seed, operation.length));
        return;
      case 'append':
        this.#write(
          operation.path,
          Buffer.concat([this.#contentAt(operation.path), contentOf(operation.seed, operation.length)]),
        );
        return;
      case 'overwrite': {
        const content = Buffer.from(this.#contentAt(operation.path));
        contentOf(operation.seed, operation.length).copy(content, operation.at);
        this.#write(operation.path, content);
        return;
      }
      case 'truncate': {
        const content = Buffer.alloc(operation.length);
        this.#contentAt(operation.path).copy(content);
        this.#write(operation.path, content);
        return;
      }
      case 'mkdir':
        nodes.set(operation.path, { kind: 'directory' });
        return;
      case 'rmdir':
      case 'unlink':
        nodes.delete(operation.path);
        return;
      case 'rename':
        this.#rename(operation.path, operation.to);
        return;
      case 'link':
        nodes.set(operation.to, nodes.get(operation.path)!);
        return;
      case 'symlink':
        nodes.set(operation.path, { kind: 'symlink', target: operation.target });
        return;
      case 'chmod':
        this.#file(operation.path).mode = operation.mode;
        return;
      case 'setxattr':
        this.#file(operation.path).xattrs.set(operation.name, operation.value);
        return;
      case 'fsync':
      case 'snapshot':
        return;
    }
  }

  #file(name: string): Extract<Node, { kind: 'file' }> {
    const node = this.nodes.get(name);
    if (node?.kind !== 'file') {
      throw new Error(`${name} is no file of the model`);
    }
    return node;
  }

  #contentAt(name: string): Buffer {
    return this.nodes.has(name) ? this.#file(name).content : Buffer.alloc(0);
  }

  #write(name: string, content: Buffer): void {
    if (this.nodes.has(name)) {
      this.#file(name).content = content;
    } else {
      this.nodes.set(name, { kind: 'file', content, mode: MODE_OF_NEW_FILES, xattrs: new Map() });
    }
  }

  #rename(from: string, to: string): void {
    const { nodes } = this;
    const moved = nodes.get(from)!;
    if (moved === nodes.get(to)) {
      // rename(2): two names of one file stay both.
      return;
    }
    for (const [name, node] of [...nodes]) {
      if (name === from || name.startsWith(`${from}/`)) {
        nodes.delete(name);
        nodes.set(to + name.slice(from.length), node);
      }
    }
  }

  /** The files whose content an operation changes, and which may be between two contents while it runs. */
  static contentChangedBy(operation: Operation): string | undefined {
    switch (operation.op) {
      case 'write':
      case 'append':
      case 'overwrite':
      case 'truncate':
        return operation.path;
      default:
        return undefined;
    }
  }

  /** A model of its own with the same state. */
  copy(): WorkModel {
    const result = new WorkModel();
    const copies = new Map<Node, Node>();
    for (const [name, node] of this.nodes) {
      const copied = copies.get(node) ?? (node.kind === 'file' ? { ...node, xattrs: new Map(node.xattrs) } : node);
      copies.set(node, copied);
      result.nodes.set(name, copied);
    }
    return result;
  }

  /**
   * How the directory differs from the model; empty when it does not. The content of the files with the node of `inDoubt`
   * is left out. `xattrs` is what the directory's files have, by path.
   */
  differences(directory: string, xattrs: XattrTable, inDoubt?: string): string[] {
    const found: string[] = [];
    const actual = new Set(readdirSync(directory, { recursive: true, encoding: 'utf8' }));
    for (const name of actual) {
      if (!this.nodes.has(name)) {
        found.push(`${name} is there and should not be`);
      }
    }
    const links = new Map<Node, number>();
    for (const node of this.nodes.values()) {
      links.set(node, (links.get(node) ?? 0) + 1);
    }
    const doubted = inDoubt === undefined ? undefined : this.nodes.get(inDoubt);
    for (const [name, node] of this.nodes) {
      if (!actual.has(name)) {
        found.push(`${name} is missing`);
        continue;
      }
      const full = path.join(directory, name);
      const what = nodeDifference(full, node, links.get(node)!, node === doubted, xattrs.get(name));
      if (what !== undefined) {
        found.push(`${name} ${what}`);
      }
    }
    return found;
  }
}

/** Names and values of the user's attributes of each file that has some. */
export type XattrTable = ReadonlyMap<string, ReadonlyMap<string, string>>;

function nodeDifference(
  full: string,
  node: Node,
  links: number,
  isInDoubt: boolean,
  xattrs: ReadonlyMap<string, string> | undefined,
): string | undefined {
  const stat = lstatSync(full);
  switch (node.kind) {
    case 'directory':
      return stat.isDirectory() ? undefined : 'is no directory';
    case 'symlink':
      if (!stat.isSymbolicLink()) return 'is no symlink';
      return readlinkSync(full) === node.target ? undefined : 'leads elsewhere';
    case 'file': {
      if (!stat.isFile()) return 'is no file';
      if (stat.nlink !== links) return `has ${stat.nlink} links instead of ${links}`;
      if ((stat.mode & 0o7777) !== node.mode) return `has mode ${stat.mode.toString(8)}, not ${node.mode.toString(8)}`;
      const content = readFileSync(full);
      if (!isInDoubt && !content.equals(node.content)) {
        return `differs at byte ${firstDifference(content, node.content)} (${content.length} bytes, not ${node.content.length})`;
      }
      const entries = (map: ReadonlyMap<string, string> = new Map()): string => JSON.stringify([...map].sort());
      return entries(xattrs) === entries(node.xattrs) ? undefined : `has the attributes ${entries(xattrs)}`;
    }
  }
}

function firstDifference(left: Buffer, right: Buffer): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    if (left[at] !== right[at]) return at;
  }
  return length;
}

/** Whether each byte is that of one of the contents there, or zero, and there are not more bytes than the longest has. */
export function isBetween(content: Buffer, contents: readonly Buffer[]): boolean {
  if (content.length > Math.max(...contents.map((candidate) => candidate.length))) {
    return false;
  }
  return content.every((byte, at) => byte === 0 || contents.some((candidate) => candidate[at] === byte));
}
