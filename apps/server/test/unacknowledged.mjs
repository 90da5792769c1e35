/**
 * Loaded into the server under test (`--import`): while a file is there, the process is killed in the
 * place of its next acknowledgement of a message, after the commit.
 */
import { existsSync, rmSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const armed = process.env['ESPALIER_TEST_ARMED'];

if (armed && isMainThread && process.argv[1]?.endsWith('/server/dist/main.js')) {
  await import('reflect-metadata');
  const { DeviceChannel } = await import('../dist/mqtt/device-channel.js');
  const { publish } = DeviceChannel.prototype;
  DeviceChannel.prototype.publish = async function (deviceId, kind, body) {
    if (kind === 'ack' && existsSync(armed)) {
      rmSync(armed);
      process.kill(process.pid, 'SIGKILL');
    }
    return publish.call(this, deviceId, kind, body);
  };
}
