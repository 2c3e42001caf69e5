/**
 * Requests that no kernel would send: whatever the bytes, there is one well-formed answer or none, and nothing is thrown.
 */
import t from 'tap';
import { OPCODE_LIMIT } from '../../src/fuse/abi.js';
import { asIno } from '../../src/store/units.js';
import { Random } from '../random.js';
import { type Answer, body, request, ServiceUnderTest, SILENT, VALID_BODIES } from './kernel-requests.js';
import { MemoryFileSystem } from './memory-file-system.js';

const SEEDS = process.env.RAZORFS_SEED === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : [Number(process.env.RAZORFS_SEED)];
const REQUESTS_PER_SEED = 4000;
/** The kernel takes no error beyond this from a file system. */
const ERRNO_LIMIT = 512;

/** Numbers at which decoders break. */
const EDGES = [0n, 1n, 0x7fff_ffffn, 0xffff_ffffn, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, -1n];

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

/** A valid request with something broken: bytes, a number at an edge, its length, or what it says of its length. */
function mutated(random: Random, unique: bigint): Buffer {
  const [opcode, node, content] = random.pick(VALID_BODIES);
  let message = request(opcode, node, unique, content);
  for (let breaks = random.below(4); breaks >= 0 && message.length >= 40; breaks--) {
    switch (random.below(6)) {
      case 0:
        message[random.below(message.length)] = random.below(256);
        break;
      case 1:
        message.writeBigUInt64LE(
          BigInt.asUintN(64, random.pick(EDGES)),
          16 + 8 * random.below(Math.floor((message.length - 16) / 8)),
        );
        break;
      case 2:
        message = message.subarray(0, Math.max(random.below(message.length), 40));
        message.writeUInt32LE(message.length, 0);
        break;
      case 3:
        message = Buffer.concat([message, randomBytes(random, random.below(300))]);
        message.writeUInt32LE(message.length, 0);
        break;
      case 4:
        message.writeUInt32LE(random.below(OPCODE_LIMIT + 2), 4);
        break;
      default:
        message = message.subarray(0, random.below(message.length) + 1);
    }
  }
  return message;
}

function populated(): MemoryFileSystem {
  const filesystem = new MemoryFileSystem();
  const under = new ServiceUnderTest(filesystem);
  under.serve(request(35, 1n, 2n, body(0, 0o644, 0, 0, 'f\0')));
  under.serve(request(9, 1n, 4n, body(0o755, 0, 'd\0')));
  under.serve(request(6, 1n, 6n, body('s\0target\0')));
  return filesystem;
}

for (const seed of SEEDS) {
  t.test(`seed ${seed}`, async (t) => {
    const random = new Random(seed);
    const under = new ServiceUnderTest(populated());
    let expectedLater = 0;
    const problems: string[] = [];
    const check = (message: Buffer, answer: Answer, length: number) => {
      const isWellFormed =
        answer.length === length &&
        answer.errno >= 0 &&
        answer.errno < ERRNO_LIMIT &&
        (answer.errno === 0 || answer.payload.length === 0) &&
        answer.unique === message.readBigUInt64LE(8);
      if (!isWellFormed) {
        problems.push(`${message.toString('hex')}: ${JSON.stringify(answer)}`);
      }
    };
    for (let count = 0; count < REQUESTS_PER_SEED; count++) {
      const unique = BigInt(count + 1) * 2n;
      const message = random.below(10) === 0 ? randomBytes(random, random.below(400)) : mutated(random, unique);
      try {
        const answer = under.serve(message);
        const wantsAnswer = message.length >= 40 && !SILENT.has(message.readUInt32LE(4));
        if (answer !== undefined) {
          check(message, answer, answer.payload.length + 16);
          if (!wantsAnswer) {
            problems.push(`an answer to ${message.toString('hex')}`);
          }
        } else if (wantsAnswer) {
          expectedLater++;
        }
      } catch (error) {
        problems.push(`${message.toString('hex')}: ${error}`);
      }
    }
    await under.service.settled();
    t.same(problems, []);
    t.equal(under.sent.length, expectedLater, 'each request has been answered once');
    t.same(under.failures, [], 'nothing but refusals');
  });
}

t.test('a file system that fails in ways that were not foreseen', async (t) => {
  const filesystem = populated();
  const under = new ServiceUnderTest(
    new Proxy(filesystem, {
      get: (target, name) =>
        name === 'pendingCommit'
          ? () => undefined
          : () => {
              throw new TypeError(`${String(name)} is broken in ${target.constructor.name}`);
            },
    }),
  );
  let answered = 0;
  for (const [opcode, node, content] of VALID_BODIES) {
    answered += under.serve(request(opcode, node, 2n, content)) === undefined ? 0 : 1;
  }
  await under.service.settled();
  const silent = VALID_BODIES.filter(([opcode]) => SILENT.has(opcode)).length;
  t.equal(answered + under.sent.length, VALID_BODIES.length - silent);
  t.ok(under.failures.length > 10);
  t.ok(under.failures.every((message) => message.includes('is broken')));
});

t.test('inodes that are no more are stale', (t) => {
  const under = new ServiceUnderTest(populated());
  const answer = under.serve(request(3, BigInt(asIno(99)), 2n, body(0, 0, 0n)));
  t.equal(answer?.errno, 116);
  t.end();
});
