/**
 * Loading native modules, with an error that says how to build them.
 */
import { createRequire } from 'node:module';
import { StoreError } from '../errors/store-error.js';

const require = createRequire(import.meta.url);

/**
 * Loads a native module: a package, or a file relative to build/src/native, where this code runs. Its declared type is taken
 * on trust.
 */
export const loadNative = <T>(specifier: string, name: string): T => {
  // mmap-io finds its addon by node-pre-gyp, which takes arguments of the program such as --directory for its own.
  const { argv } = process;
  process.argv = argv.slice(0, 2);
  try {
    return require(specifier) as T;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    throw new StoreError(
      'not-built',
      missing
        ? `${name} is not built.`
        : // As when it was built for another version of Node. Only the first line is the message; the rest is advice on npm.
          `${name} cannot be loaded: ${(error as Error).message.split('\n', 1)[0]}`,
      'Run `node tools/build.mjs` in the RazorFS directory.',
    );
  } finally {
    process.argv = argv;
  }
};
