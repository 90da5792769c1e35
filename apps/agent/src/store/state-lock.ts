import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { AgentError } from '../errors.js';

/**
 * Keeps a second agent off the same state directory, by a name in the kernel (an abstract socket)
 * that ends with the process, however it ends.
 * @throws AgentError AGENT_STATE_IN_USE
 */
export async function lockState(directory: string): Promise<void> {
  const name = createHash('sha256').update(directory).digest('hex');
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new AgentError('AGENT_STATE_IN_USE', `Another agent runs with ${directory}.`, { cause }),
      ),
    );
    server.listen(`\0espalier-agent-${name}`, resolve);
  });
  server.unref();
}
