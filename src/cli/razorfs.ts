/**
 * The `razorfs` program: puts the commands together, and turns what they throw into a message and an exit code. Each
 * command is a file of its own, which exports the commander command.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { destroyCommand } from './destroy.js';
import { diffCommand } from './diff.js';
import { EXIT, exitCodeHelp } from './exit-codes.js';
import { mkfsCommand } from './mkfs.js';
import { mountCommand } from './mount.js';
import { endWhenOutputFails, printError } from './output.js';
import { persistCommand } from './persist.js';
import { pruneCommand } from './prune.js';
import { quotaCommand } from './quota.js';
import { receiveCommand } from './receive.js';
import { resetCommand } from './reset.js';
import { restartCommand } from './restart.js';
import { rollbackCommand } from './rollback.js';
import { scrubCommand } from './scrub.js';
import { sendCommand } from './send.js';
import { snapshotCommand } from './snapshot.js';
import { statusCommand } from './status.js';
import { umountCommand } from './umount.js';
import { cloneCommand, volumeCommand } from './volume.js';

const EXAMPLES = `
Examples:
  razorfs /mnt/point                          mount; the store is made on first use
  razorfs /mnt/point --store ~/work.store     the same with a store of your choice
  razorfs status                              what is mounted
  razorfs umount /mnt/point                   unmount, and wait until the store is clean

Without --store, the store is $RAZORFS_STORE, /var/lib/razorfs, or for those who may not write there
~/.local/state/razorfs. 'razorfs COMMAND --help' explains a command; razorfsck checks and repairs a store.

${exitCodeHelp()}`;

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const description: { version: string } = JSON.parse(readFileSync(file, 'utf8'));
  return description.version;
}

/** Commands below others speak and fail as the program does. */
function withSettingsOf(parent: Command, command: Command): Command {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) withSettingsOf(command, below);
  return command;
}

function program(): Command {
  const root = new Command('razorfs')
    .description('A persistent, crash-safe file system in one directory, mounted with one command.')
    .usage('MNT | COMMAND [options]')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain the program, or after a command, the command')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`razorfs: ${text.replace(/^error: /, '')}`) });
  for (const command of [
    mountCommand(),
    umountCommand(),
    statusCommand(),
    restartCommand(),
    scrubCommand(),
    volumeCommand(),
    cloneCommand(),
    snapshotCommand(),
    rollbackCommand(),
    pruneCommand(),
    persistCommand(),
    resetCommand(),
    diffCommand(),
    sendCommand(),
    receiveCommand(),
    quotaCommand(),
    mkfsCommand(),
    destroyCommand(),
  ]) {
    root.addCommand(withSettingsOf(root, command), { isDefault: command.name() === 'mount' });
  }
  return root;
}

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  const root = program();
  if (words.length === 0) {
    root.outputHelp({ error: true });
    return EXIT.usage;
  }
  try {
    await root.parseAsync(words, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.success;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.success : EXIT.usage;
    }
    return printError({ json: words.includes('--json') }, error);
  }
}

endWhenOutputFails(EXIT.failure);
process.exitCode = await main();
