/**
 * Finding what the set-up needs on this machine: npm, node-gyp, Node's headers, a compiler. Plain JavaScript without
 * dependencies, since it runs before anything is installed or compiled.
 */
import { accessSync, constants, existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

/** The directory that Node is installed under, for example /usr. */
const NODE_PREFIX = path.dirname(path.dirname(realpathSync(process.execPath)));

/** A set-up that cannot go on, told in one line. */
export class SetupError extends Error {}

function inPath(name) {
  for (const directory of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // The next directory may have it.
    }
  }
  return undefined;
}

/** npm's directory: the one that came with this Node, or the one in PATH. */
function npmDirectory() {
  const bundled = path.join(NODE_PREFIX, 'lib/node_modules/npm');
  if (existsSync(path.join(bundled, 'bin/npm-cli.js'))) return bundled;
  const command = inPath('npm');
  // .../npm/bin/npm-cli.js, behind a symlink
  const found = command === undefined ? undefined : path.dirname(path.dirname(realpathSync(command)));
  if (found !== undefined && existsSync(path.join(found, 'bin/npm-cli.js'))) return found;
  throw new SetupError('npm is missing. It comes with Node.js from https://nodejs.org; on Debian: apt install npm');
}

/** The arguments for this Node that run npm, so that it builds for this Node and not for another one in PATH. */
export function npmCommand(...words) {
  return [path.join(npmDirectory(), 'bin/npm-cli.js'), ...words];
}

/** The arguments for this Node that run node-gyp. */
export function nodeGypCommand(...words) {
  const candidates = [
    process.env.npm_config_node_gyp,
    path.join(npmDirectory(), 'node_modules/node-gyp/bin/node-gyp.js'),
    // Debian's own npm keeps its parts apart.
    '/usr/share/nodejs/node-gyp/bin/node-gyp.js',
  ];
  const found = candidates.find((file) => file !== undefined && existsSync(file));
  if (found === undefined)
    throw new SetupError('node-gyp is missing, which npm brings. On Debian: apt install node-gyp');
  return [found, ...words];
}

/**
 * Where this Node's own headers are, if it was installed with them; node-gyp downloads them otherwise. Those of another Node
 * under the same prefix would build an addon that does not load.
 */
function headersDirectory() {
  try {
    const header = readFileSync(path.join(NODE_PREFIX, 'include/node/node_version.h'), 'utf8');
    const number = (name) => new RegExp(`^#define ${name} (\\d+)$`, 'm').exec(header)?.[1];
    const version = ['NODE_MAJOR_VERSION', 'NODE_MINOR_VERSION', 'NODE_PATCH_VERSION'].map(number).join('.');
    return version === process.versions.node ? NODE_PREFIX : undefined;
  } catch {
    return undefined;
  }
}

/** From this version on, Node's headers are in C++20, which packages that ask for C++17 do not know. */
const CXX20_NODE_MAJOR_MIN = 24;

/** The environment for npm and node-gyp. */
export function buildEnvironment() {
  const environment = { ...process.env };
  environment.PATH = [path.dirname(process.execPath), process.env.PATH].filter(Boolean).join(path.delimiter);
  const headers = headersDirectory();
  if (headers !== undefined) environment.npm_config_nodedir ??= headers;
  // Otherwise mmap-io would fetch a binary that no checksum in package-lock.json vouches for.
  environment.npm_config_build_from_source = 'true';
  if (Number(process.versions.node.split('.')[0]) >= CXX20_NODE_MAJOR_MIN) {
    // The last -std counts, and gyp puts these after the package's own.
    environment.CXXFLAGS = `${process.env.CXXFLAGS ?? ''} -std=gnu++20`;
  }
  return environment;
}

/** Refuses when node-gyp could not work, naming all that is missing at once. */
export function requireCompiler() {
  const missing = [];
  const needs = [
    ['python3', process.env.PYTHON ?? process.env.npm_config_python, ['python3', 'python']],
    ['make', process.env.MAKE, ['make', 'gmake']],
    ['a C compiler', process.env.CC, ['cc', 'gcc', 'clang']],
    ['a C++ compiler', process.env.CXX, ['c++', 'g++', 'clang++']],
  ];
  for (const [what, chosen, names] of needs) {
    if (chosen === undefined && !names.some((name) => inPath(name) !== undefined)) missing.push(what);
  }
  if (missing.length > 0) {
    throw new SetupError(
      `To build the native parts, this is missing: ${missing.join(', ')}. On Debian: apt install python3 make g++`,
    );
  }
}
