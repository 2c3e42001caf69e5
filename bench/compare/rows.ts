/**
 * The rows of the comparison: what is measured, in which unit, and what RazorFS wants to reach.
 */

/** `seconds`: less is better. */
export type Unit = 'operations/s' | 'MB/s' | 'seconds';

export interface Goal {
  readonly factor: number;
  readonly of: 'host' | 'best peer';
}

export interface Row {
  readonly label: string;
  readonly unit: Unit;
  readonly goal?: Goal;
}

const of = (factor: number, reference: Goal['of']): Goal => ({ factor, of: reference });

export const ROWS = {
  create: { label: 'create + write 4 KiB', unit: 'operations/s', goal: of(3, 'best peer') },
  stat: { label: 'stat after create', unit: 'operations/s', goal: of(0.8, 'host') },
  read: { label: 'open + read 4 KiB, warm', unit: 'operations/s', goal: of(1.5, 'best peer') },
  listStatus: { label: 'readdir + stat, cold caches', unit: 'operations/s', goal: of(1, 'host') },
  rename: { label: 'rename', unit: 'operations/s', goal: of(1.5, 'best peer') },
  unlink: { label: 'unlink', unit: 'operations/s', goal: of(1.5, 'best peer') },
  createFsync: { label: 'create + fsync 4 KiB', unit: 'operations/s', goal: of(4, 'host') },
  writeLarge: { label: 'sequential write + fsync', unit: 'MB/s', goal: of(0.9, 'host') },
  readLarge: { label: 'sequential read, cold', unit: 'MB/s', goal: of(0.95, 'host') },
  randomRead: { label: 'random read 4 KiB, warm', unit: 'operations/s', goal: of(1, 'host') },
  randomWrite: { label: 'random write 4 KiB', unit: 'operations/s', goal: of(1, 'host') },
  append: { label: 'append 100 bytes', unit: 'operations/s', goal: of(0.8, 'host') },
  mixed1: { label: 'mixed small files, 1 client', unit: 'operations/s' },
  mixed4: { label: 'mixed small files, 4 clients', unit: 'operations/s' },
  mixed16: { label: 'mixed small files, 16 clients', unit: 'operations/s' },
  gitClone: { label: 'git clone + status', unit: 'seconds' },
  npmInstall: { label: 'npm ci, warm cache', unit: 'seconds' },
  untar: { label: 'untar', unit: 'seconds' },
  find: { label: 'find, cold names', unit: 'seconds' },
  removeTree: { label: 'rm -rf', unit: 'seconds' },
  sqliteSync: { label: 'sqlite inserts, each synced', unit: 'operations/s' },
  sqliteNoSync: { label: 'sqlite inserts, never synced', unit: 'operations/s' },
} as const satisfies Record<string, Row>;

export type RowKey = keyof typeof ROWS;
export const ROW_KEYS = Object.keys(ROWS) as RowKey[];
export const rowOf = (key: RowKey): Row => ROWS[key];

/** How many times as fast `value` is as `reference`. */
export const speedRatio = (unit: Unit, value: number, reference: number): number =>
  unit === 'seconds' ? reference / value : value / reference;
