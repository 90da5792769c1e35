import { publicKeyBase64 } from '@espalier/trust';
import type { Command } from 'commander';
import type { Terminal } from '../output/terminal.js';
import { makeKeyFile } from '../signing/key-file.js';

/**
 * Adds the command `keygen`, which makes a key pair off the server.
 * @param wordsFor what people are told, of the private key's file and the public half (base64)
 */
export function addKeygen(
  group: Command,
  terminal: Terminal,
  description: string,
  wordsFor: (file: string, publicKey: string) => readonly string[],
): void {
  group
    .command('keygen')
    .description(description)
    .requiredOption('--out <file.pem>', 'new file for the private key')
    .option('--json', 'print one JSON document')
    .action(async ({ out, json }: { out: string; json?: boolean }) => {
      const pair = await makeKeyFile(out);
      const publicKey = publicKeyBase64(pair);
      if (json) terminal.json({ file: out, keyId: pair.keyId, publicKey });
      else terminal.print(wordsFor(out, publicKey).join('\n'));
    });
}
