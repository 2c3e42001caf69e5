/**
 * Killing the process that serves a mount, and programs that notice if anything but a pause comes of it.
 */
import path from 'node:path';
import { ControlClient } from '../../src/mount/control-client.js';
import type { MountStatus } from '../../src/mount/control-protocol.js';
import { ROOT } from '../cli/program.js';

/** A program in Python that changes names without pause, and checks each step. */
export const CHANGES = path.join(ROOT, 'test/mount/changes.py');

/** What the process says that serves a store, as soon as one answers. */
export async function statusOf(store: string): Promise<MountStatus> {
  for (;;) {
    const client = await ControlClient.connect(store);
    const status = await client?.status();
    client?.close();
    if (status !== undefined) {
      return status;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Kills the worker, and waits until another one answers. */
export async function killWorker(store: string): Promise<MountStatus> {
  const { pid } = await statusOf(store);
  process.kill(pid, 'SIGKILL');
  for (;;) {
    const status = await statusOf(store);
    if (status.pid !== pid) {
      return status;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
