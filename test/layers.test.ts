/**
 * The house as drawn: which layer may import which, how long a file may be, who loads the addon, and no `any`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LINES_MAX = 400;

/** A layer imports its own files and those of layers with a greater number; layers of one number do not know each other. */
const HEIGHT: Readonly<Record<string, number>> = {
  cli: 0,
  mount: 1,
  check: 1,
  fuse: 2,
  'fuse-native': 2,
  transfer: 2,
  filesystem: 3,
  volume: 4,
  tree: 5,
  strings: 5,
  blobs: 5,
  wal: 5,
  store: 6,
  native: 7,
  errors: 8,
};
/** razorfsck must not share the bugs that it looks for: it reads through the format definitions and the store only. */
const CHECK_MAY_IMPORT = ['tree', 'strings', 'blobs', 'wal', 'store', 'native', 'errors'];
/** The files of volume that define what is on disk, and do nothing with it. */
const FORMATS_OF_VOLUME = [
  'dataset',
  'inode',
  'items',
  'mode',
  'name-hash',
  'operation',
  'operation-codec',
  'quota-record',
].map((name) => `src/volume/${name}.js`);

interface SourceFile {
  /** Relative to the project, for example `src/cli/exit-codes.ts`. */
  readonly name: string;
  readonly text: string;
}

function filesUnder(directory: string, extensions: readonly string[]): SourceFile[] {
  // A directory of a layer that is yet to come is not in a clone.
  if (!existsSync(path.join(ROOT, directory))) {
    return [];
  }
  return readdirSync(path.join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .map((name) => `${directory}/${name}`)
    .filter((name) => extensions.includes(path.extname(name)) && !name.startsWith('native/build/'))
    .map((name) => ({ name, text: readFileSync(path.join(ROOT, name), 'utf8') }));
}

/** The code without comments and string contents, so that words in prose do not count. */
const codeOnly = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, "''");

function importsOf(file: SourceFile): string[] {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;
  return [...file.text.matchAll(pattern)].map((match) => match[1]!);
}

/** The layer of a path under src/, or undefined for packages and files outside it. */
const layerOf = (name: string): string | undefined => /^src\/([^/]+)\//.exec(name)?.[1];

const sources = filesUnder('src', ['.ts']);
const native = filesUnder('native', ['.c', '.h']);
const around = [
  ...filesUnder('test', ['.ts']),
  ...filesUnder('bench', ['.ts', '.mjs', '.c']),
  ...filesUnder('tools', ['.ts', '.mjs', '.sh']),
];

const isForCheck = (layer: string, file: string): boolean =>
  CHECK_MAY_IMPORT.includes(layer) || FORMATS_OF_VOLUME.includes(file);

t.test('layers import downwards only', async (t) => {
  for (const file of sources) {
    const from = layerOf(file.name);
    if (from === undefined || HEIGHT[from] === undefined) {
      t.fail(`${file.name} belongs to no layer that this test knows`);
      continue;
    }
    for (const specifier of importsOf(file).filter((specifier) => /^\.\.?\//.test(specifier))) {
      const target = path.join(path.dirname(file.name), specifier);
      const to = layerOf(target);
      if (to === undefined || HEIGHT[to] === undefined) {
        t.fail(`${file.name} imports ${target}, which belongs to no layer`);
      } else if (to !== from && (HEIGHT[to] <= HEIGHT[from] || (from === 'check' && !isForCheck(to, target)))) {
        t.fail(`${file.name} imports ${target}: ${from} must not import ${to}`);
      }
    }
  }
  t.ok(sources.length > 0);
});

t.test(`no file is longer than ${LINES_MAX} lines`, async (t) => {
  for (const file of [...sources, ...native, ...around]) {
    const lines = file.text.split('\n').length - 1;
    t.ok(lines <= LINES_MAX, `${file.name} has ${lines} lines`);
  }
});

t.test('a file begins by saying what it is for', async (t) => {
  for (const file of sources) {
    t.ok(/^(#!.*\n)?\/\*\*?/.test(file.text), `${file.name} begins with a comment`);
  }
});

t.test('only src/native loads the addon', async (t) => {
  for (const file of [...sources, ...filesUnder('test', ['.ts'])]) {
    if (layerOf(file.name) !== 'native') {
      t.notOk(
        /\.node['"`]|\bcreateRequire\b.*addon|process\.dlopen/.test(file.text.replace(/ {2}t\.notOk.*/g, '')),
        file.name,
      );
    }
  }
});

t.test('no `any`', async (t) => {
  for (const file of [...sources, ...filesUnder('test', ['.ts'])]) {
    const found = /(?::|\bas|<|\||,|=>)\s*any\b(?!\s*[:(])/.exec(codeOnly(file.text));
    t.equal(found?.[0], undefined, `${file.name} has no any`);
  }
});
