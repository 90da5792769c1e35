import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  decodeMessage,
  ProtocolError,
  REVOCATIONS_TOPIC,
  revocationsSchema,
} from '@espalier/protocol';
import { Aedes, type Client } from 'aedes';
import type { Logger } from 'pino';
import { authenticate, type Identity } from './authentication.js';
import type { Configuration } from './configuration.js';
import { PacketGuard } from './packet-guard.js';
import { Revocations } from './revocations.js';
import { mayForward, maySubscribe, mayPublish } from './topic-rules.js';

/** Above what one bulk window leaves waiting, so that a write never waits for a drain before it. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;
const NOT_AUTHORIZED = 5;
/** Where forbidden publishes end: nobody may subscribe to it. */
const DROPPED_TOPIC = '$SYS/espalier/dropped';

/** A broker that listens. */
export interface RunningBroker {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts a broker with our authentication and topic rules; resolves once it listens. */
export async function startBroker(
  configuration: Configuration,
  log: Logger,
): Promise<RunningBroker> {
  const { credentialKey, serverUser, serverSecret } = configuration;
  const revocations = new Revocations();
  const gate = { credentialKey, serverUser, serverSecret, revocations };
  const identities = new WeakMap<Client, Identity>();
  const devices = new Map<string, Client>();
  const dropped = new WeakMap<Client, number>();
  const identityOf = (client: Client | null): Identity | undefined =>
    client ? identities.get(client) : undefined;

  const countDrop = (client: Client, what: string, topic: string): void => {
    const count = (dropped.get(client) ?? 0) + 1;
    dropped.set(client, count);
    const level = count === 1 ? 'warn' : 'debug';
    log[level]({ clientId: client.id, what, topic: topic.slice(0, 200), count }, 'dropped');
  };

  const aedes = await Aedes.createBroker({
    connectTimeout: CONNECT_TIMEOUT_MS,
    drainTimeout: configuration.drainTimeoutMs,
    preConnect(_client, packet, done) {
      if (aedes.connectedClients >= configuration.maxClients) {
        log.warn({ maxClients: configuration.maxClients }, 'connection refused: too many clients');
        done(new Error('too many clients'), false);
      } else if (packet.will || !packet.clean) {
        // Wills and stored sessions would let a device fill the broker's memory while it is away.
        log.warn(
          { clientId: packet.clientId },
          'connection refused: wants a will or stored session',
        );
        done(new Error('only clean sessions without a will'), false);
      } else {
        done(null, true);
      }
    },
    authenticate(client, username, password, done) {
      const who = authenticate(gate, { clientId: client.id, username, password }, Date.now());
      if (who.kind === 'refused') {
        log.warn({ clientId: client.id, reason: who.reason }, 'connection refused');
        done(Object.assign(new Error(who.reason), { returnCode: NOT_AUTHORIZED }), false);
        return;
      }
      identities.set(client, who);
      if (who.kind === 'device') devices.set(who.deviceId, client);
      done(null, true);
    },
    authorizePublish(client, packet, done) {
      packet.retain = false;
      const who = identityOf(client);
      if (client && !mayPublish(who, packet.topic)) {
        // An error here would cut the connection, and the client would send the message for ever.
        countDrop(client, 'publish', packet.topic);
        packet.topic = DROPPED_TOPIC;
        packet.payload = Buffer.alloc(0);
      } else if (who?.kind === 'server' && packet.topic === REVOCATIONS_TOPIC) {
        revoke(packet.payload);
      }
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const allowed = maySubscribe(identityOf(client), subscription.topic);
      if (!allowed) countDrop(client, 'subscribe', subscription.topic);
      done(null, allowed ? subscription : null);
    },
    authorizeForward(client, packet) {
      if (mayForward(packet.topic, client.conn.writableLength)) return packet;
      countDrop(client, 'forward', packet.topic);
      return null;
    },
  });

  function revoke(payload: string | Uint8Array): void {
    try {
      const { body } = decodeMessage(Buffer.from(payload), revocationsSchema);
      for (const revocation of body.revoked) {
        if (!revocations.add(revocation)) {
          log.error({ deviceId: revocation.deviceId }, 'no room for another revocation');
        }
        const client = devices.get(revocation.deviceId);
        if (client) log.info({ deviceId: revocation.deviceId }, 'disconnected: revoked');
        client?.close();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.error({ err: error }, 'revocations ignored');
    }
  }

  aedes.on('clientDisconnect', (client) => {
    if (devices.get(client.id) === client) devices.delete(client.id);
    const count = dropped.get(client);
    if (count !== undefined) log.warn({ clientId: client.id, count }, 'dropped in this connection');
  });
  aedes.on('clientError', (client, error) => {
    log.debug({ clientId: client.id, reason: error.message }, 'client error');
  });
  aedes.on('connectionError', (_client, error) => {
    log.debug({ reason: error.message }, 'connection error');
  });

  const server = createServer({ highWaterMark: SOCKET_BUFFER_BYTES, noDelay: true }, (socket) => {
    guard(socket, configuration.maxPacketBytes, log);
    aedes.handle(socket);
  });
  server.maxConnections = configuration.maxClients + 1000;
  const port = await listen(server, configuration);
  return {
    host: configuration.host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        aedes.close();
      }),
  };
}

/** Cuts a connection whose next packet is too large, by looking at what is read from its socket. */
function guard(socket: Socket, maxPacketBytes: number, log: Logger): void {
  const packets = new PacketGuard(maxPacketBytes);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const bytes = read(size) as Buffer | null;
    if (bytes === null || packets.admits(bytes)) return bytes;
    log.warn({ maxPacketBytes }, 'connection cut: packet too large');
    socket.destroy();
    return null;
  };
}

function listen(server: Server, { host, port }: Configuration): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
