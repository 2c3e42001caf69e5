/**
 * Other FUSE file systems, each measured when its programs are installed. They run in front, as children of the bench, so that
 * the end of one is known before the next begins.
 */
import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from '../host.js';
import type { RunningTarget, Target } from './target.js';

const run = promisify(execFile);

/** Room for all that is measured, in a sparse image file. */
const IMAGE_BYTES = 8 * 1024 ** 3;
/** Peers that keep a descriptor for each inode need more than the usual limit. */
const WITH_DESCRIPTORS = 'ulimit -n 1000000 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"';

/** The path of a program, looked for in PATH and where administrators' programs are; undefined when it is not installed. */
function installed(program: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return directories.map((directory) => path.join(directory, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const isMounted = (directory: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'latin1').includes(` ${directory} `);

/** Runs a FUSE program in front until it is unmounted. */
async function serve(directory: string, command: string, words: readonly string[]): Promise<RunningTarget> {
  const child = spawn('sh', ['-c', WITH_DESCRIPTORS, 'sh', command, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errorOutput = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errorOutput = (errorOutput + chunk).slice(-2000);
  });
  let ended = false;
  child.once('close', () => {
    ended = true;
  });
  await until(`${command} has mounted`, () => ended || isMounted(directory));
  if (ended) throw new Error(`${command} did not mount: ${errorOutput.trim()}`);
  return {
    directory,
    async stop() {
      if (isMounted(directory)) await run('umount', [directory]);
      await until(`${command} has ended`, () => ended).catch(() => child.kill('SIGKILL'));
    },
  };
}

interface Place {
  readonly directory: string;
  /** An image file or a directory, for the data. */
  readonly data: string;
}

function prepare(place: string): Place {
  const directory = path.join(place, 'mnt');
  mkdirSync(directory);
  return { directory, data: path.join(place, 'data') };
}

function makeImage(file: string): void {
  writeFileSync(file, '');
  truncateSync(file, IMAGE_BYTES);
}

function fuse2fs(program: string, mkfs: string): Target {
  return {
    name: 'fuse2fs',
    how: '`fuse2fs IMAGE MNT -o rw`, the image made by mkfs.ext4',
    async start(place) {
      const { directory, data } = prepare(place);
      makeImage(data);
      await run(mkfs, ['-q', '-F', data]);
      return serve(directory, program, [data, directory, '-f', '-o', 'rw']);
    },
  };
}

function ntfs3g(program: string, mkfs: string): Target {
  return {
    name: 'ntfs-3g',
    how: '`ntfs-3g IMAGE MNT -o big_writes`',
    async start(place) {
      const { directory, data } = prepare(place);
      makeImage(data);
      await run(mkfs, ['-q', '-F', '-f', data]);
      return serve(directory, program, [data, directory, '-o', 'no_detach,big_writes']);
    },
  };
}

function gocryptfs(program: string): Target {
  return {
    name: 'gocryptfs',
    how: '`gocryptfs DIR MNT`',
    async start(place) {
      const { directory, data } = prepare(place);
      const password = path.join(place, 'password');
      mkdirSync(data);
      writeFileSync(password, 'bench\n');
      await run(program, ['-init', '-q', '-scryptn', '10', '-passfile', password, data]);
      return serve(directory, program, ['-fg', '-q', '-nosyslog', '-passfile', password, data, directory]);
    },
  };
}

/** Programs that show a directory of the host at another place. */
function mirror(
  name: string,
  how: string,
  program: string,
  words: (data: string, directory: string) => string[],
): Target {
  return {
    name,
    how,
    async start(place) {
      const { directory, data } = prepare(place);
      mkdirSync(data);
      return serve(directory, program, words(data, directory));
    },
  };
}

/** The peers that are installed. `libfuseExamples` is a directory with built examples of libfuse, if there is one. */
export function installedPeers(libfuseExamples: string | undefined): Target[] {
  const peers: Target[] = [];
  const add = (programs: readonly (string | undefined)[], target: (...found: string[]) => Target) => {
    const found = programs.filter((program) => program !== undefined);
    if (found.length === programs.length) peers.push(target(...found));
  };
  const example = (name: string): string | undefined => {
    const file = libfuseExamples === undefined ? undefined : path.resolve(libfuseExamples, name);
    return file !== undefined && isExecutable(file) ? file : undefined;
  };
  add([installed('fuse2fs'), installed('mkfs.ext4')], fuse2fs);
  add([installed('ntfs-3g'), installed('mkntfs')], ntfs3g);
  add([installed('gocryptfs')], gocryptfs);
  add([installed('bindfs')], (program) =>
    mirror('bindfs', '`bindfs DIR MNT`', program, (data, directory) => ['-f', data, directory]),
  );
  add([example('passthrough_ll')], (program) => {
    const options = 'cache=always,writeback,timeout=86400';
    return mirror('passthrough_ll', `libfuse's C example, \`-o ${options}\``, program, (data, directory) => {
      return ['-f', '-o', `source=${data},${options}`, directory];
    });
  });
  add([example('passthrough_hp')], (program) =>
    mirror('passthrough_hp', "libfuse's C++ example: the kernel reads and writes the host's file", program, (...of) => [
      '--foreground',
      ...of,
    ]),
  );
  return peers;
}
