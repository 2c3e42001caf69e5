/**
 * The root of the virtual machine: an initramfs with this machine's Node, its shared libraries, the compiled RazorFS, and the kernel
 * modules that it needs. It begins `guest.js`, and nothing else.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../test/cli/program.js';
import type { HostFileSystem } from './order.js';

/** Where this checkout is in the guest. */
const PROJECT = '/razorfs';
/** Compiled code, and what goes with it. */
const PROJECT_PARTS = ['package.json', 'build/src', 'build/test', 'build/tools', 'native/build/Release/razorfs.node'];
/** Packages that build others, and are not needed to run them. */
const NOT_TO_RUN = ['typescript', '@types/node', 'nan', 'node-gyp'];
/** Those that are built in, or unknown to a kernel, are left out. */
const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_console', 'fuse', 'crc32c_generic'];
const PROGRAMS = ['/usr/bin/sync', process.execPath];

const INIT = `#!/bin/busybox sh
export PATH=/usr/bin:/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
cd /
${process.execPath} --enable-source-maps ${PROJECT}/build/tools/power-cut/guest.js
poweroff -f
`;

export interface Kernel {
  /** The image that is booted. */
  readonly file: string;
  readonly release: string;
}

/** Writes the initramfs for a kernel that mounts that file system. */
export function writeGuestRoot(kernel: Kernel, fileSystem: HostFileSystem, file: string): void {
  const root = `${file}.d`;
  for (const directory of ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules', 'disk', 'mnt', 'run']) {
    mkdirSync(path.join(root, directory), { recursive: true });
  }
  cpSync('/bin/busybox', path.join(root, 'bin/busybox'));
  for (const program of PROGRAMS) {
    copyProgram(program, root);
  }
  for (const part of [...PROJECT_PARTS, ...runtimePackages()]) {
    cpSync(path.join(ROOT, part), path.join(root, PROJECT, part), { recursive: true, dereference: true });
  }
  copyModules(kernel, [...MODULES, fileSystem], path.join(root, 'modules'));
  writeFileSync(path.join(root, 'init'), INIT);
  chmodSync(path.join(root, 'init'), 0o755);
  pack(root, file);
  rmSync(root, { recursive: true });
}

function pack(root: string, file: string): void {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).join('\n');
  const words = ['cpio', '-o', '-H', 'newc'];
  const stdio = ['pipe', openSync(file, 'w'), 'pipe'] as const;
  const { status, stderr } = spawnSync('busybox', words, { cwd: root, input: names, stdio: [...stdio] });
  if (status !== 0) throw new Error(`busybox ${words.join(' ')}: ${stderr}`);
}

/** A program, and the shared libraries that ldd(1) names, at the same paths. */
function copyProgram(program: string, root: string): void {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library!);
  for (const file of [program, ...libraries]) {
    cpSync(realpathSync(file), path.join(root, file));
  }
}

/** The packages that the compiled program may load, as directories. */
function runtimePackages(): string[] {
  const found = new Set<string>();
  const visit = (directory: string): void => {
    const file = path.join(ROOT, directory, 'package.json');
    if (!existsSync(file)) return;
    const { dependencies = {} } = JSON.parse(readFileSync(file, 'utf8'));
    for (const name of Object.keys(dependencies)) {
      const there = `node_modules/${name}`;
      if (found.has(there) || NOT_TO_RUN.includes(name)) continue;
      found.add(there);
      visit(there);
    }
  };
  visit('.');
  return [...found].filter((directory) => existsSync(path.join(ROOT, directory)));
}

/** Modules with those that they depend on, named so that their order is the one to load them in. */
function copyModules({ file, release }: Kernel, names: readonly string[], target: string): void {
  const directory = path.join(path.dirname(file), '../lib/modules', release, 'kernel');
  const files = new Map(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.ko(\.xz)?$/.test(name))
      .map((name) => [moduleName(name), path.join(directory, name)]),
  );
  const done = new Set<string>();
  const copy = (name: string): void => {
    const from = files.get(name);
    if (from === undefined || done.has(name)) return;
    done.add(name);
    const image = readModule(from);
    // modinfo(8): a module names what it depends on in itself.
    const depends = /\0depends=([^\0]*)\0/.exec(image.toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',')) {
      copy(moduleName(other));
    }
    const number = readdirSync(target).length.toString().padStart(3, '0');
    writeFileSync(path.join(target, `${number}-${name}.ko`), image);
  };
  for (const name of names) {
    copy(name);
  }
}

const moduleName = (file: string): string =>
  path
    .basename(file)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_');

function readModule(file: string): Buffer {
  if (!file.endsWith('.xz')) return readFileSync(file);
  const { stdout } = spawnSync('xz', ['-dc', file], { maxBuffer: 64 << 20 });
  return stdout;
}
