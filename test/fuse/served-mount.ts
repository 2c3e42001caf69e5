/**
 * A mount that this process serves, for tests. As the event loop serves it, the test itself must not block on it: it works
 * through child processes and asynchronous calls.
 */
import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import type { FileSystemOperations } from '../../src/filesystem/operations.js';
import { mountFuse } from '../../src/fuse/device.js';
import { parseMountOptions } from '../../src/fuse/mount-options.js';
import { Session, type SessionEnd, type SessionOptions } from '../../src/fuse/session.js';

export interface ServedMount {
  readonly path: string;
  readonly fd: number;
  readonly session: Session;
  /** What the session logged as failures. */
  readonly failures: string[];
  /** Runs a shell script in the mount; resolves with what it printed, and rejects when it fails. */
  shell(script: string): Promise<string>;
  /** `server`: the session that serves the mount by then. */
  unmount(server?: Session): Promise<SessionEnd>;
}

const run = (program: string, words: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(program, words, { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}\n${stderr}`)),
    );
  });

/** Mounts, and unmounts at the end of the test whatever has become of it. */
export async function serveMount(
  test: Test,
  filesystem: FileSystemOperations,
  words = '',
  changes: Partial<SessionOptions> = {},
): Promise<ServedMount> {
  const mountPoint = mkdtempSync(path.join(tmpdir(), 'razorfs-fuse-'));
  const options = parseMountOptions(words);
  const fd = mountFuse(mountPoint, 'test', options);
  const failures: string[] = [];
  const session = new Session({
    fd,
    filesystem,
    initialised: false,
    writebackCache: !options.writethrough,
    log: { error: (_details, message) => failures.push(message) },
    ...changes,
  });
  session.start();
  await session.ready;
  let isMounted = true;
  const unmount = async (server = session): Promise<SessionEnd> => {
    isMounted = false;
    // In another process, as the kernel may have something to write back before it returns.
    await run('umount', ['-l', mountPoint]);
    const end = await server.ended;
    closeSync(fd);
    rmdirSync(mountPoint);
    return end;
  };
  test.teardown(() => (isMounted ? unmount() : undefined));
  return {
    path: mountPoint,
    fd,
    session,
    failures,
    // Not by the option `cwd`: Node waits for the child to have entered it, while the mount waits for Node.
    shell: (script) => run('/bin/bash', ['-ec', `cd "$0"; ${script}`, mountPoint]),
    unmount,
  };
}
