/**
 * Mounts from within a daemon that goes on serving meanwhile; see `attach.ts` for why that takes another process.
 */
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errnoName, receiveFileDescriptor, socketPair } from '../native/addon.js';
import type { AttachRequest } from './attach.js';
import { MountError } from './mount-error.js';
import { runProgram } from './run-program.js';

const PROGRAM = fileURLToPath(new URL('./attach.js', import.meta.url));

/** Mounts. Resolves with the descriptor to serve; throws what stood in the way. */
export async function attachInChild(request: AttachRequest): Promise<number> {
  const pair = socketPair();
  if (typeof pair === 'number') {
    throw new MountError('daemon-failed', `A socket cannot be made: ${errnoName(pair)}.`);
  }
  const [ours, theirs] = pair;
  try {
    const error = await runProgram(PROGRAM, [JSON.stringify(request)], [theirs]);
    if (error !== undefined) throw error;
    // It waits in the socket by now.
    const fd = receiveFileDescriptor(ours);
    if (fd < 0) {
      throw new MountError('daemon-failed', `The descriptor of the mount did not arrive: ${errnoName(fd)}.`);
    }
    return fd;
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}
