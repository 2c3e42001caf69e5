/**
 * A mount that this process serves, for tests. As the event loop serves it, the test itself must not block on it: it works
 * through child processes and asynchronous calls.
 */
import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FileSystemOperations } from '../../src/filesystem/operations.js';
import { mountFuse } from '../../src/fuse/device.js';
import { parseMountOptions } from '../../src/fuse/mount-options.js';
import { Session, type SessionEnd, type SessionOptions } from '../../src/fuse/session.js';
import { unmount } from '../../src/fuse/unmount.js';

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

export async function serveMount(
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
  return {
    path: mountPoint,
    fd,
    session,
    failures,
    shell: (script) =>
      new Promise((resolve, reject) => {
        // Not by the option `cwd`: Node waits for the child to have entered it, while the mount waits for Node.
        const inMount = `cd "$0"; ${script}`;
        execFile('/bin/bash', ['-ec', inMount, mountPoint], { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}\n${stderr}`)),
        );
      }),
    unmount: async (server = session) => {
      unmount(mountPoint, true);
      const end = await server.ended;
      closeSync(fd);
      rmdirSync(mountPoint);
      return end;
    },
  };
}
