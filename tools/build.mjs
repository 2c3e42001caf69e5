/**
 * The set-up, run by the launchers and by `npm test`: packages, native addon, compiled TypeScript, each only when it is not
 * up to date. Running it again is harmless and quick.
 *
 *     node tools/build.mjs [--dev] [--fuse-native] [--quiet]
 *
 * --dev          what the tests need too: development packages, and the compiled tests, benches and tools
 * --fuse-native  what --transport=fuse-native needs too; a part of --dev, where it may fail
 * --quiet        no progress lines
 *
 * Plain JavaScript without dependencies: it runs on a fresh clone. What is up to date is told by fingerprints (names, sizes
 * and times of the sources), kept in build/.stamp, and in node_modules/.razorfs-stamp for the packages. The time of
 * build/.stamp is when the last set-up began: the launchers compare it with the sources.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildEnvironment, nodeGypCommand, npmCommand, requireCompiler, SetupError } from './toolchain.mjs';

const NODE_MAJOR_MIN = 20;
const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const STAMP = path.join(ROOT, 'build/.stamp');
const PACKAGES_STAMP = path.join(ROOT, 'node_modules/.razorfs-stamp');
const ADDON = path.join(ROOT, 'native/build/Release/razorfs.node');
/** The package for --transport=fuse-native, with a tree of its own: `npm ci` would take it out of another. */
const FUSE_NATIVE = path.join(ROOT, 'build/fuse-native');
const FUSE_NATIVE_PACKAGE = path.join(ROOT, 'tools/fuse-native');
const LOG = path.join(ROOT, 'build/build.log');
/** Packages with a native part, built by npm on installation, for one ABI of Node. */
const NATIVE_PACKAGES = ['fs-ext', 'mmap-io'];

const started = new Date();
const dev = process.argv.includes('--dev');
const fuseNative = dev || process.argv.includes('--fuse-native');
const quiet = process.argv.includes('--quiet');

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

/** A digest of the names, sizes and times of the files under `names`; generated directories left out. */
function fingerprint(...names) {
  const hash = createHash('sha256');
  const visit = (name) => {
    const file = path.join(ROOT, name);
    const status = statSync(file, { throwIfNoEntry: false });
    if (status?.isDirectory()) {
      for (const entry of readdirSync(file).sort()) {
        if (entry !== 'build' && entry !== 'node_modules') visit(`${name}/${entry}`);
      }
    } else {
      hash.update(`${name}\0${status?.size}\0${status?.mtimeMs}\n`);
    }
  };
  for (const name of names) visit(name);
  return hash.digest('hex');
}

const RUN_SOURCES = ['src', 'tsconfig.json', 'tools/tsconfig.run.json', 'package-lock.json'];

/** What the sources are now, to compare with the stamp of the last set-up. */
function currentState() {
  return {
    native: `${process.arch} ${fingerprint('native')}`,
    run: fingerprint(...RUN_SOURCES),
    dev: dev ? fingerprint(...RUN_SOURCES, 'test', 'bench', 'tools') : undefined,
  };
}

function packagesState() {
  const lock = createHash('sha256')
    .update(readFileSync(path.join(ROOT, 'package-lock.json')))
    .digest('hex');
  return { lock, modules: process.versions.modules, arch: process.arch };
}

function staleSteps() {
  const stamp = readJson(STAMP);
  const packages = readJson(PACKAGES_STAMP);
  const state = currentState();
  const wanted = packagesState();
  return {
    state,
    packages: Object.keys(wanted).some((key) => packages[key] !== wanted[key]) || (dev && !packages.dev),
    fuseNative: fuseNative && !isFuseNativeInstalled(),
    native: stamp.native !== state.native || !existsSync(ADDON),
    compile: dev ? stamp.dev !== state.dev : stamp.run !== state.run,
  };
}

/** Whether npm's own record of what it installed has everything that package-lock.json asks for. */
function arePackagesInstalled(withDev) {
  const asked = readJson(path.join(ROOT, 'package-lock.json')).packages ?? {};
  const there = readJson(path.join(ROOT, 'node_modules/.package-lock.json')).packages ?? {};
  return Object.entries(asked).every(([name, entry]) => {
    if (name === '' || entry.optional || entry.devOptional || (entry.dev && !withDev)) return true;
    return there[name]?.version === entry.version && existsSync(path.join(ROOT, name, 'package.json'));
  });
}

/** Tried in a process of its own: a failed load of an addon stays with the process. */
function doNativePackagesLoad() {
  const script = NATIVE_PACKAGES.map((name) => `require('${name}');`).join('');
  return spawnSync(process.execPath, ['-e', script], { cwd: ROOT, stdio: 'ignore' }).status === 0;
}

/** Runs this Node on a script; its output goes to the log. */
async function run(step, [script, ...words], environment = process.env) {
  const log = openSync(LOG, 'a');
  const child = spawn(process.execPath, [script, ...words], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', log, log],
  });
  const status = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  closeSync(log);
  if (status !== 0) {
    throw new SetupError(`${step} failed${firstError()}. The output is in ${LOG}`);
  }
}

/** The first line of the log that looks like the cause. */
function firstError() {
  const line = readFileSync(LOG, 'utf8')
    .split('\n')
    .find((text) => /\berror\b|npm error/i.test(text));
  return line === undefined ? '' : `: ${line.trim().slice(0, 200).replace(/\.$/, '')}`;
}

function progress(text) {
  if (!quiet) process.stderr.write(`razorfs: ${text}\n`);
}

async function installPackages() {
  rmSync(PACKAGES_STAMP, { force: true }); // What fails half-way must not pass for installed.
  // Development packages that are there already stay.
  const withDev = dev || arePackagesInstalled(true);
  if (!arePackagesInstalled(withDev)) {
    requireCompiler();
    progress('installing packages…');
    await run('Installing the packages', npmCommand('ci', dev ? '--include=dev' : '--omit=dev'), buildEnvironment());
  }
  // npm may have been told not to run install scripts, or the packages were installed for another Node.
  if (!doNativePackagesLoad()) {
    requireCompiler();
    progress(`building ${NATIVE_PACKAGES.join(' and ')}…`);
    const words = ['rebuild', '--ignore-scripts=false', ...NATIVE_PACKAGES];
    await run('Building packages', npmCommand(...words), buildEnvironment());
    if (!doNativePackagesLoad()) {
      throw new SetupError(`${NATIVE_PACKAGES.join(' and ')} were built but do not load. The output is in ${LOG}`);
    }
  }
  writeFileSync(PACKAGES_STAMP, JSON.stringify({ ...packagesState(), dev: withDev }));
}

const fuseNativeLock = (directory) => {
  const file = path.join(directory, 'package-lock.json');
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
};

/** npm writes its record of what it installed last. */
function isFuseNativeInstalled() {
  const isWhole = existsSync(path.join(FUSE_NATIVE, 'node_modules/.package-lock.json'));
  return isWhole && fuseNativeLock(FUSE_NATIVE) === fuseNativeLock(FUSE_NATIVE_PACKAGE);
}

/** Without its install script, which would want libfuse 2 and a compiler: the package brings a build that every Node loads. */
async function installFuseNative() {
  progress('installing fuse-native…');
  rmSync(FUSE_NATIVE, { recursive: true, force: true });
  mkdirSync(FUSE_NATIVE, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(path.join(FUSE_NATIVE_PACKAGE, name), path.join(FUSE_NATIVE, name));
  }
  // The tests go on without it: no long wait for a registry that cannot be reached.
  const patience = dev ? ['--fetch-retries=0'] : [];
  const words = ['ci', '--ignore-scripts', '--prefix', FUSE_NATIVE, ...patience];
  try {
    await run('Installing fuse-native', npmCommand(...words), buildEnvironment());
  } catch (error) {
    if (!dev) throw error;
    progress(`${error.message} What needs it is not tested.`);
  }
}

async function buildNative() {
  requireCompiler();
  progress('building the native addon…');
  // Not `rebuild`: the old addon stays in place until the new one is linked.
  const command = nodeGypCommand('configure', 'build', '--release', '--directory', 'native');
  await run('Building the native addon', command, buildEnvironment());
}

async function compile() {
  progress('compiling…');
  const project = dev ? 'tsconfig.json' : 'tools/tsconfig.run.json';
  await run('Compiling', ['node_modules/typescript/bin/tsc', '--pretty', 'false', '-p', project]);
}

/**
 * One set-up at a time for a checkout: the holder listens on an abstract Unix socket (unix(7)), which the kernel takes away
 * with the process, so that nothing stale can stay. Returns once this process is the holder.
 */
async function takeTurn() {
  const name = `\0razorfs-build-${createHash('sha256').update(ROOT).digest('hex').slice(0, 32)}`;
  for (let waited = false; ; waited = true) {
    const taken = await new Promise((resolve, reject) => {
      const server = net.createServer();
      server.on('error', (error) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
      server.listen(name, () => resolve(true));
      server.unref();
    });
    if (taken) return;
    if (!waited) progress('waiting for another set-up to finish…');
    await new Promise((resolve) => {
      const holder = net.connect(name);
      holder.on('error', () => {});
      holder.on('close', resolve);
    });
  }
}

async function setUp() {
  const stale = staleSteps();
  if (stale.packages) await installPackages();
  if (stale.fuseNative) await installFuseNative();
  if (stale.native) await buildNative();
  if (stale.compile) await compile();
  // In --dev, everything that a plain run needs was compiled too; otherwise what --dev had made is known no longer.
  const compiledForDev = stale.state.dev ?? (stale.compile ? undefined : readJson(STAMP).dev);
  writeFileSync(STAMP, JSON.stringify({ ...stale.state, dev: compiledForDev }));
  utimesSync(STAMP, started, started);
}

/** Spares the launchers the next look. In a checkout of another user this fails, and the look is taken each time. */
function confirmFresh() {
  try {
    utimesSync(STAMP, started, started);
  } catch (error) {
    if (error.code !== 'EACCES' && error.code !== 'EPERM' && error.code !== 'EROFS') throw error;
  }
}

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  process.stderr.write(`razorfs: Node.js ${NODE_MAJOR_MIN} or newer is needed; this is ${process.version}\n`);
  process.exit(1);
}
try {
  const { packages, fuseNative: withFuseNative, native, compile } = staleSteps();
  if (packages || withFuseNative || native || compile) {
    mkdirSync(path.dirname(LOG), { recursive: true });
    await takeTurn();
    writeFileSync(LOG, '');
    await setUp();
  } else {
    confirmFresh();
  }
} catch (error) {
  const known = error instanceof SetupError;
  const permission = error.code === 'EACCES' || error.code === 'EROFS';
  const advice = permission ? ' Run `node tools/build.mjs` once as the owner of the RazorFS directory.' : '';
  process.stderr.write(`razorfs: ${known || permission ? error.message : error.stack}${advice}\n`);
  process.exit(1);
}
process.exit(0);
