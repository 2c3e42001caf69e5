/**
 * RazorFS over fuse-native: the same file system behind libfuse 2, as a Node program would otherwise have it. A peer, measured where
 * libfuse 2 is installed.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { FuseNative } from '../../src/fuse-native/package.js';
import { check, mount, umount } from '../razorfs.js';
import type { Target } from './target.js';

const WORDS = ['--transport=fuse-native'];

const fuseNative: Target = {
  name: 'RazorFS on fuse-native',
  how: `\`razorfs ${WORDS.join(' ')} MNT --store DIR\``,
  async start(place) {
    const directory = path.join(place, 'mnt');
    const store = path.join(place, 'store');
    mkdirSync(directory);
    await mount(directory, store, WORDS);
    return {
      directory,
      async stop() {
        await umount(directory);
        await check(store);
      },
    };
  },
};

/** The target, if it can be mounted here. */
export function fuseNativeTargets(): Target[] {
  try {
    FuseNative.load();
    return [fuseNative];
  } catch {
    return [];
  }
}
