/**
 * Whether mounts over fuse-native can be made here, for the tests that need one.
 */
import { FuseNative } from '../../src/fuse-native/package.js';

/** What makes a mount one over fuse-native. */
export const OVER_FUSE_NATIVE: readonly string[] = ['--transport=fuse-native'];

/** Why not, with what to do about it; false when it can. */
export const unavailable: string | false = reason();

function reason(): string | false {
  try {
    FuseNative.load();
    return false;
  } catch (error) {
    const advice = error instanceof Error && 'advice' in error ? ` ${error.advice}` : '';
    return `${error instanceof Error ? error.message : error}${advice}`;
  }
}
