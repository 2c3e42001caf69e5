/**
 * What a serving process tells of its store and mounts.
 */
import { readFileSync } from 'node:fs';
import { volatileKind } from '../store/volatile.js';
import type { MountStatus } from './control-protocol.js';
import type { OpenedStore } from './opened-store.js';
import type { ServedMount } from './served-mount.js';
import type { Deaths } from './worker-protocol.js';

/** `startedAtMs`: when this process began to serve, milliseconds since 1970. */
export function serviceStatus(
  { store, path }: OpenedStore,
  served: readonly ServedMount[],
  deaths: Deaths,
  startedAtMs: number,
): MountStatus {
  const mounts = served.map((mount) => mount.status());
  const [first] = mounts;
  return {
    mountPoint: first?.mountPoint ?? '',
    store: path,
    pid: process.pid,
    transport: served[0]?.description.transport ?? 'kernel',
    supervisorPid: process.ppid,
    restarts: deaths.count,
    lastDeath: deaths.last,
    startedAt: startedAtMs,
    volatile: volatileKind(path) ?? null,
    volume: { ...store.status(), durability: first?.durability ?? 'interval' },
    privateBytes: privateBytes(),
    requests: first?.requests ?? {},
    mounts,
  };
}

function privateBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return Number(match?.[1] ?? 0) * 1024;
}
