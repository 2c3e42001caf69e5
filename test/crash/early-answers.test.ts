/**
 * Changes by the requests of the kernel, each answered once it is logged and before it is applied. The process dies at that moment:
 * whoever comes next has made the change, and gives a kernel that has no answer yet, and asks again, the same one.
 */
import { constants } from 'node:os';
import t, { type Test } from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { EROFS } from '../../src/errors/errno.js';
import { ACCESS_ACL_XATTR, DEFAULT_ACL_XATTR } from '../../src/filesystem/acl.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { Namespace } from '../../src/filesystem/namespace.js';
import { CAPABILITY_XATTR } from '../../src/filesystem/permissions.js';
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_CTIME,
  FATTR_GID,
  FATTR_KILL_SUIDGID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  FUSE_WRITE_CACHE,
  FUSE_WRITE_KILL_SUIDGID,
  Opcode,
} from '../../src/fuse/abi.js';
import { fuse_attr, fuse_attr_out, fuse_entry_out } from '../../src/fuse/abi-structs.js';
import { asIno, MAIN_VOLUME, ROOT_INO } from '../../src/store/units.js';
import { StoreApplier } from '../../src/volume/apply/store-applier.js';
import { Store } from '../../src/volume/store.js';
import { type Answer, answerIn, body, request, ServiceUnderTest } from '../fuse/kernel-requests.js';
import { newStore } from './campaign.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { EPOCH_SECONDS, settle, volumeOptions } from './small-store.js';
import { readStore } from './volume-state.js';

const BOOT = '1'.repeat(32);
const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };
const { EIO } = constants.errno;
const RESENT = 1n << 63n;
const ROOT = 1n;
const LARGE_BYTES = 40_000;

/** rwx for the owner, r-x for the group, nothing for others, and rw- for user 5, within a mask of rw-. */
const ACL = body(2, ...[0x7_0001, -1, 0x6_0002, 5, 0x5_0004, -1, 0x6_0010, -1, 0x0_0020, -1]);

/** A process that serves a store. */
class Life {
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly files: Namespace;
  readonly under: ServiceUnderTest;
  /** The disk as it was when an answer went out early. */
  readonly #deaths: SimulatedDisk[] = [];

  static async open(disk: SimulatedDisk, resume: boolean): Promise<Life> {
    const options = { ...volumeOptions(BOOT, () => EPOCH_SECONDS * 1000), resume };
    return new Life(disk, await settle(disk, Store.open(disk, options)), resume);
  }

  private constructor(disk: SimulatedDisk, store: Store, resume: boolean) {
    this.disk = disk;
    this.store = store;
    this.files = new Namespace(store, store.state.catalog.get(MAIN_VOLUME)!, { atime: 'noatime' });
    this.under = new ServiceUnderTest(this.files, {
      initialised: resume,
      answer: (reply, length) => {
        this.under.sent.push(answerIn(reply.bytes, length));
        this.#deaths.push(disk.afterProcessDeath());
      },
    });
  }

  /** Serves a request. Returns its only answer, and the disk at the moment of an early one. */
  ask(message: Uint8Array): { readonly answer: Answer; readonly death: SimulatedDisk | undefined } {
    const returned = this.under.serve(message);
    const answers = [...this.under.sent.splice(0), ...(returned === undefined ? [] : [returned])];
    if (answers.length !== 1) throw new Error(`${answers.length} answers`);
    return { answer: answers[0]!, death: this.#deaths.pop() };
  }

  /** What GETATTR says of a node. */
  attributesOf(node: bigint): Buffer {
    const { answer } = this.ask(request(Opcode.GETATTR, node, 2n, body(0, 0, 0n)));
    return answer.payload.subarray(fuse_attr_out.attr, fuse_attr_out.attr + fuse_attr.sizeof);
  }

  async skeleton(): Promise<string> {
    return (await readStore(this.store)).skeleton;
  }

  async close(): Promise<void> {
    await settle(this.disk, this.store.close());
    this.disk.dispose();
  }
}

interface SetattrIn {
  readonly size?: bigint;
  readonly mode?: number;
  readonly owner?: number;
  readonly seconds?: bigint;
}

const setattr = (valid: number, { size = 0n, mode = 0, owner = 0, seconds = 0n }: SetattrIn): Buffer =>
  body(valid, 0, 0n, size, 0n, seconds, seconds + 1n, seconds + 2n, 4, 5, 6, mode, 0, owner, owner, 0);

const write = (at: bigint, data: Uint8Array, flags: number): Buffer => body(0n, at, data.length, flags, 0n, 0, 0, data);

/** Puts a change to a process, kills that in the middle, and compares the answers and what is there. Returns the answer's payload. */
class Changes {
  readonly #t: Test;
  readonly #life: Life;
  #unique = 100n;

  constructor(t: Test, life: Life) {
    this.#t = t;
    this.#life = life;
  }

  /** `attributesAt`: where the answer has the attributes of an inode; `isEarly`: whether it comes before the change is applied. */
  async make(
    what: string,
    opcode: number,
    node: bigint,
    content: Uint8Array,
    attributesAt?: number,
    isEarly = true,
  ): Promise<Buffer> {
    this.#unique += 2n;
    const unique = this.#unique;
    const message = (sent: bigint): Buffer => {
      const bytes = request(opcode, node, sent, content);
      for (const [at, id] of [7, 8, 9].entries()) bytes.writeUInt32LE(id, 24 + 4 * at);
      return bytes;
    };
    const { answer, death } = this.#life.ask(message(unique));
    this.#t.equal(answer.errno, 0, what);
    this.#t.equal(death !== undefined, isEarly, `${what} is answered ${isEarly ? 'early' : 'when it is done'}`);
    if (attributesAt !== undefined) this.#compareAttributes(what, this.#life, answer, attributesAt);
    if (death !== undefined) {
      const successor = await Life.open(death, true);
      const again = successor.ask(message(unique | RESENT)).answer;
      this.#t.same({ ...again, unique }, answer, `${what}: the same answer again`);
      if (attributesAt !== undefined) this.#compareAttributes(what, successor, again, attributesAt);
      this.#t.equal(await successor.skeleton(), await this.#life.skeleton(), `${what}: the same files`);
      await successor.close();
    }
    return answer.payload;
  }

  #compareAttributes(what: string, life: Life, { payload }: Answer, at: number): void {
    const shown = payload.subarray(at, at + fuse_attr.sizeof);
    this.#t.same(shown, life.attributesOf(shown.readBigUInt64LE(0)), `${what}: the attributes that it has`);
  }
}

t.test('an answer says what is there, and what a successor says', async (t) => {
  const life = await Life.open((await newStore()).afterProcessDeath(), false);
  const changes = new Changes(t, life);
  const made = async (what: string, opcode: number, parent: bigint, content: Uint8Array): Promise<bigint> =>
    (await changes.make(what, opcode, parent, content, fuse_entry_out.attr)).readBigUInt64LE(0);
  const set = (what: string, node: bigint, valid: number, values: SetattrIn, isEarly = true) =>
    changes.make(what, Opcode.SETATTR, node, setattr(valid, values), fuse_attr_out.attr, isEarly);

  const file = await made('a file', Opcode.CREATE, ROOT, body(0, 0o666, 0o27, 0, 'f\0'));
  await made('a FIFO', Opcode.MKNOD, ROOT, body(0o010644, 0, 0, 0, 'p\0'));
  await made('a device', Opcode.MKNOD, ROOT, body(0o060600, 0x801, 0, 0, 'b\0'));
  await made('a symlink', Opcode.SYMLINK, ROOT, body('s\0target\0'));
  const directory = await made('a directory', Opcode.MKDIR, ROOT, body(0o775, 0o2, 'd\0'));
  await set('setgid', directory, FATTR_MODE, { mode: 0o2775 });
  await made('a file below setgid', Opcode.CREATE, directory, body(0, 0o666, 0o22, 0, 'f\0'));
  life.files.setExtendedAttribute(asIno(Number(directory)), DEFAULT_ACL_XATTR, ACL, 0, false, CALLER);
  const listed = await made('a file with a list', Opcode.CREATE, directory, body(0, 0o664, 0o22, 0, 'l\0'));
  t.ok(life.files.findExtendedAttribute(asIno(Number(listed)), ACCESS_ACL_XATTR), 'it has inherited one');
  await made('a directory with a list', Opcode.MKDIR, directory, body(0o777, 0o22, 'd\0'));
  await set('the mode of a file with a list', listed, FATTR_MODE, { mode: 0o640 });

  await changes.make('small data', Opcode.WRITE, file, write(0n, Buffer.from('data'), 0));
  await changes.make('large data', Opcode.WRITE, file, write(0n, Buffer.alloc(LARGE_BYTES, 1), 0));
  await changes.make(
    'data written back',
    Opcode.WRITE,
    file,
    write(4096n, Buffer.alloc(4096, 2), FUSE_WRITE_CACHE),
    undefined,
    false,
  );
  await set('setuid', file, FATTR_MODE, { mode: 0o6755 });
  life.files.setExtendedAttribute(asIno(Number(file)), CAPABILITY_XATTR, Buffer.alloc(20), 0, false, CALLER);
  await set('a new owner', file, FATTR_UID | FATTR_GID, { owner: 5 });
  await set('setuid again', file, FATTR_MODE, { mode: 0o6755 });
  await changes.make(
    'data that ends setuid',
    Opcode.WRITE,
    file,
    write(0n, Buffer.alloc(9), FUSE_WRITE_KILL_SUIDGID),
    undefined,
    false,
  );
  await set('setuid once more', file, FATTR_MODE, { mode: 0o6755 });
  await set('a size that ends setuid', file, FATTR_SIZE | FATTR_KILL_SUIDGID, { size: 35_000n }, false);
  await set('the same size', file, FATTR_SIZE, { size: 35_000n }, false);
  await set('size and time', file, FATTR_SIZE | FATTR_MTIME, { size: 50_000n, seconds: -9n });
  await set('size 0 and mode', file, FATTR_SIZE | FATTR_MODE, { mode: 0o600 });
  await set('times', file, FATTR_ATIME | FATTR_MTIME | FATTR_CTIME, { seconds: 2n ** 52n });
  await set('the present', file, FATTR_ATIME | FATTR_ATIME_NOW | FATTR_MTIME | FATTR_MTIME_NOW, {});
  await set('nothing', file, 0, {}, false);

  await changes.make('a rename', Opcode.RENAME, ROOT, body(directory, 'f\0g\0'));
  await changes.make('one onto another', Opcode.RENAME2, directory, body(ROOT, 0, 0, 'g\0p\0'));
  await changes.make('an exchange', Opcode.RENAME2, ROOT, body(directory, 2, 0, 'p\0l\0'));
  await changes.make('a removal', Opcode.UNLINK, ROOT, body('s\0'));
  await changes.make('a removed directory', Opcode.RMDIR, directory, body('d\0'));
  t.same(life.under.failures, []);
  await life.close();
});

t.test('a file without a name is answered with what it is', async (t) => {
  const life = await Life.open((await newStore()).afterProcessDeath(), false);
  const { answer, death } = life.ask(request(Opcode.TMPFILE, ROOT, 2n, body(0, 0o600, 0, 0, '/\0')));
  t.ok(death, 'early');
  const shown = answer.payload.subarray(fuse_entry_out.attr, fuse_entry_out.attr + fuse_attr.sizeof);
  t.same(shown, life.attributesOf(answer.payload.readBigUInt64LE(0)));
  const successor = await Life.open(death!, true);
  t.same(successor.attributesOf(answer.payload.readBigUInt64LE(0)), shown, 'whoever has it open keeps it');
  await successor.close();
  await life.close();
});

t.test('a change that cannot be applied after its answer ends all changes, and nothing else', async (t) => {
  const life = await Life.open((await newStore()).afterProcessDeath(), false);
  const ask = (opcode: number, node: bigint, content: Uint8Array): Answer =>
    life.ask(request(opcode, node, 2n, content)).answer;
  t.equal(ask(Opcode.CREATE, ROOT, body(0, 0o644, 0, 0, 'before\0')).errno, 0);

  const { apply } = StoreApplier.prototype;
  StoreApplier.prototype.apply = () => {
    throw new CorruptionError('page 7', 'damaged');
  };
  const lost = ask(Opcode.CREATE, ROOT, body(0, 0o644, 0, 0, 'lost\0'));
  StoreApplier.prototype.apply = apply;
  t.equal(lost.errno, 0, 'it is logged: for the caller it has happened');
  t.match(life.under.failures, [/page 7/], 'the damage is told of');
  t.match(life.store.readOnlyReason, /page 7/);

  const node = lost.payload.readBigUInt64LE(0);
  t.not(ask(Opcode.GETATTR, node, body(0, 0, 0n)).errno, 0);
  t.equal(ask(Opcode.CREATE, ROOT, body(0, 0o644, 0, 0, 'later\0')).errno, EROFS.number);
  t.equal(ask(Opcode.WRITE, 2n, write(0n, Buffer.from('data'), 0)).errno, EROFS.number);
  t.equal(life.under.serve(request(Opcode.FORGET, node, 4n, body(1n))), undefined);
  t.equal(ask(Opcode.LOOKUP, ROOT, body('before\0')).errno, 0, 'reading goes on');
  life.under.serve(request(Opcode.FSYNC, 2n, 6n, body(0n, 0, 0)));
  await life.under.service.settled();
  t.match(life.under.sent, [{ unique: 6n, errno: EIO }], 'it is not said to be durable');
  t.equal(life.under.failures.length, 1);

  const successor = await Life.open(life.disk.afterProcessDeath(), false);
  for (const name of ['before', 'lost'])
    t.ok(successor.files.find(ROOT_INO, Buffer.from(name), new Attributes()), name);
  await successor.close();
  await life.close();
});

t.test('a change whose answer fails ends all changes: no record follows one that was not applied', async (t) => {
  const life = await Life.open((await newStore()).afterProcessDeath(), false);
  const caller = {
    ...CALLER,
    logged: (): void => {
      throw new Error('no answer');
    },
  };
  const make = (name: string): void =>
    life.files.makeNode(ROOT_INO, Buffer.from(name), 0o100644, 0, caller, new Attributes());
  t.throws(() => make('a'), /no answer/);
  t.match(life.store.readOnlyReason, /no answer/);
  t.throws(() => make('b'), EROFS);
  const successor = await Life.open(life.disk.afterProcessDeath(), false);
  t.ok(successor.files.find(ROOT_INO, Buffer.from('a'), new Attributes()));
  await successor.close();
  await life.close();
});
