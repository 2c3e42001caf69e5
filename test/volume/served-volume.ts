/** A volume on a temporary directory of the host, for tests that need no mount. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import type { Caller } from '../../src/filesystem/operations.js';
import { GEOMETRY_DEFAULT, type Geometry } from '../../src/store/geometry.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { timestampOf } from '../../src/volume/inode.js';
import type { StoreOptions } from '../../src/volume/options.js';
import { Store } from '../../src/volume/store.js';
import type { Volume } from '../../src/volume/volume.js';

export const CALLER: Caller = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };

export const SMALL_GEOMETRY: Geometry = {
  nodesSegmentBytes: 1024 * 1024,
  arenaSegmentBytes: 256 * 1024,
  logSegmentBytes: 256 * 1024,
};

export const VOLUME_OPTIONS: StoreOptions = {
  durability: 'interval',
  commitIntervalMs: 60_000,
  readOnly: false,
  bootId: 'a'.repeat(32),
  log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  now: () => timestampOf(Date.now()),
};

export class ServedVolume {
  disk: HostDisk;
  readonly directory: string;
  store: Store;
  volume: Volume;
  filesystem: FileSystem;

  private constructor(directory: string, disk: HostDisk, store: Store) {
    this.directory = directory;
    this.disk = disk;
    this.store = store;
    this.volume = store.main;
    this.filesystem = new FileSystem(this.volume, { atime: 'noatime' });
  }

  static async make(test: Test, geometry = GEOMETRY_DEFAULT): Promise<ServedVolume> {
    const directory = mkdtempSync(join(tmpdir(), 'razorfs-volume-'));
    test.teardown(() => rmSync(directory, { recursive: true }));
    const disk = new HostDisk(directory);
    await Store.create(disk, { label: 'test', geometry, now: Date.now(), owner: { uid: 0, gid: 0 } });
    return new ServedVolume(directory, disk, await Store.open(disk, VOLUME_OPTIONS));
  }

  /** Closes the store and opens it again, on another disk if one is given. */
  async reopen(options: Partial<StoreOptions> = {}, disk = this.disk): Promise<void> {
    await this.store.close();
    this.disk = disk;
    this.store = await Store.open(this.disk, { ...VOLUME_OPTIONS, ...options });
    this.volume = this.store.main;
    this.filesystem = new FileSystem(this.volume, { atime: 'noatime' });
  }

  makeFile(name: string, content: Uint8Array, parent: Ino = ROOT_INO): Ino {
    const out = new Attributes();
    this.filesystem.makeNode(parent, Buffer.from(name), 0o100644, 0, CALLER, out);
    this.filesystem.write(out.ino, 0, content.length, content, 0, false, CALLER);
    return out.ino;
  }

  /** Removes a name, and with it the inode, as the kernel does when nobody has it open. */
  remove(name: string, parent: Ino = ROOT_INO): void {
    const ino = this.find(name, parent);
    this.filesystem.unlink(parent, Buffer.from(name), CALLER);
    this.filesystem.forget(ino);
  }

  find(name: string, parent: Ino = ROOT_INO): Ino {
    const out = new Attributes();
    this.filesystem.lookup(parent, Buffer.from(name), out);
    return out.ino;
  }

  async read(ino: Ino): Promise<Buffer> {
    const out = new Attributes();
    this.filesystem.getAttributes(ino, out);
    const bytes = Buffer.alloc(out.size);
    await this.filesystem.read(ino, 0, out.size, bytes, 0);
    return bytes;
  }
}
