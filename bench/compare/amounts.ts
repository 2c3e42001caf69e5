/**
 * How much is done for each row: the amounts of a run whose figures count, and those of one that only shows that all works.
 */

export interface Amounts {
  /** Done before, not timed. */
  readonly warmUpFiles: number;
  readonly files: number;
  readonly durableFiles: number;
  /** The large file, in pages of 4 KiB. */
  readonly pages: number;
  /** Reads of cached pages take about a microsecond each: fewer would show little but the beginning and the end of the client. */
  readonly randomReads: number;
  readonly randomWrites: number;
  readonly appends: number;
  readonly mixedFiles: number;
}

export interface ApplicationAmounts {
  /** Some peers keep a descriptor for each, and the limit of those may be 20,000. */
  readonly archiveFiles: number;
  readonly repositoryFiles: number;
  readonly syncedInserts: number;
  readonly unsyncedInserts: number;
  readonly npm: boolean;
}

export const FULL_AMOUNTS: Amounts = {
  warmUpFiles: 5000,
  files: 5000,
  durableFiles: 400,
  pages: 32_768,
  randomReads: 300_000,
  randomWrites: 25_000,
  appends: 100_000,
  mixedFiles: 6400,
};

export const FULL_APPLICATIONS: ApplicationAmounts = {
  archiveFiles: 16_000,
  repositoryFiles: 3000,
  syncedInserts: 200,
  unsyncedInserts: 2000,
  npm: true,
};

export const QUICK_AMOUNTS: Amounts = {
  warmUpFiles: 20,
  files: 100,
  durableFiles: 10,
  pages: 512,
  randomReads: 500,
  randomWrites: 500,
  appends: 500,
  mixedFiles: 160,
};

export const QUICK_APPLICATIONS: ApplicationAmounts = {
  archiveFiles: 200,
  repositoryFiles: 50,
  syncedInserts: 5,
  unsyncedInserts: 20,
  npm: false,
};
