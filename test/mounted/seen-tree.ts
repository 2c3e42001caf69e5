/**
 * A directory tree as it is found, read once, and the comparison of its names with a model's.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import type { Node, WorkModel } from './work-model.js';

export interface SeenNode {
  readonly kind: Node['kind'] | 'other';
  readonly ino: number;
  readonly mode: number;
  readonly links: number;
  /** Of a symlink. */
  readonly target: string;
  /** Of a file. */
  readonly content: Buffer;
}

/** By path from the directory. */
export type Seen = ReadonlyMap<string, SeenNode>;

const EMPTY = Buffer.alloc(0);

/** A directory that is not there shows nothing. Throws what system calls throw: nothing may be unreadable. */
export function readSeen(directory: string): Seen {
  const seen = new Map<string, SeenNode>();
  if (!existsSync(directory)) return seen;
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const full = path.join(directory, name);
    const stat = lstatSync(full);
    const kind = stat.isFile()
      ? 'file'
      : stat.isDirectory()
        ? 'directory'
        : stat.isSymbolicLink()
          ? 'symlink'
          : 'other';
    seen.set(name, {
      kind,
      ino: stat.ino,
      mode: stat.mode & 0o7777,
      links: stat.nlink,
      target: kind === 'symlink' ? readlinkSync(full) : '',
      content: kind === 'file' ? readFileSync(full) : EMPTY,
    });
  }
  return seen;
}

/** A difference between the trees, the contents of files aside, or undefined. */
export function treeProblem(model: WorkModel, seen: Seen): string | undefined {
  for (const name of model.nodes.keys()) {
    if (!seen.has(name)) return `${name} is missing`;
  }
  const inos = new Map<Node, number>();
  const links = new Map<Node, number>();
  for (const [name, there] of seen) {
    const node = model.nodes.get(name);
    if (node === undefined) return `${name} is there and should not be`;
    if (there.kind !== node.kind) return `${name} is a ${there.kind}, not a ${node.kind}`;
    if (node.kind === 'symlink' && there.target !== node.target) return `${name} leads to ${there.target}`;
    if (node.kind !== 'file') continue;
    if (there.mode !== node.mode) return `${name} has mode ${there.mode.toString(8)}, not ${node.mode.toString(8)}`;
    if ((inos.get(node) ?? there.ino) !== there.ino) return `${name} is not the same file as its other name`;
    inos.set(node, there.ino);
    links.set(node, (links.get(node) ?? 0) + 1);
  }
  for (const [name, { links: found }] of seen) {
    const node = model.nodes.get(name)!;
    if (node.kind === 'file' && found !== links.get(node)) return `${name} has ${found} links, not ${links.get(node)}`;
  }
  return undefined;
}
