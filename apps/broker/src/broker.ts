import type { TLSSocket } from 'node:tls';
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
import { listen, peerOf } from './tls-listener.js';
import { mayForward, maySubscribe, mayPublish } from './topic-rules.js';

const CONNECT_TIMEOUT_MS = 10_000;
const EXPIRY_CHECK_MS = 1000;
const NOT_AUTHORIZED = 5;
/** Where forbidden publishes end: nobody may subscribe to it. */
const DROPPED_TOPIC = '$SYS/espalier/dropped';

/** Codes of the events that name something forbidden; {@link Refusal} has those of connecting. */
const DROP_CODES = {
  publish: 'BROKER_PUBLISH_FORBIDDEN',
  subscribe: 'BROKER_SUBSCRIBE_FORBIDDEN',
  forward: 'BROKER_BACKLOG',
} as const;

/** How aedes says that a client went or fell behind. */
const ORDINARY_ENDS = new Set(['keep alive timeout', 'connection closed', 'drain timeout']);

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
  const revocations = new Revocations();
  const identities = new WeakMap<Client, Identity>();
  const devices = new Map<string, { client: Client; expiresMs: number }>();
  const dropped = new WeakMap<Client, number>();
  /** Clients whose refusal was told already. */
  const refused = new WeakSet<Client>();
  const identityOf = (client: Client | null): Identity | undefined =>
    client ? identities.get(client) : undefined;

  const countDrop = (client: Client, what: keyof typeof DROP_CODES, topic: string): void => {
    const count = (dropped.get(client) ?? 0) + 1;
    dropped.set(client, count);
    const level = count === 1 ? 'warn' : 'debug';
    const event = { code: DROP_CODES[what], clientId: client.id, topic: topic.slice(0, 200) };
    log[level]({ ...event, count }, 'dropped');
  };

  const aedes = await Aedes.createBroker({
    connectTimeout: CONNECT_TIMEOUT_MS,
    drainTimeout: configuration.drainTimeoutMs,
    preConnect(client, packet, done) {
      if (aedes.connectedClients >= configuration.maxClients) {
        const { maxClients } = configuration;
        log.warn({ code: 'BROKER_FULL', maxClients }, 'connection refused: too many clients');
        refused.add(client);
        done(new Error('too many clients'), false);
      } else if (packet.will || !packet.clean) {
        // Wills and stored sessions would let a device fill the broker's memory while it is away.
        log.warn(
          { code: 'BROKER_SESSION', clientId: packet.clientId },
          'connection refused: wants a will or stored session',
        );
        refused.add(client);
        done(new Error('only clean sessions without a will'), false);
      } else {
        done(null, true);
      }
    },
    authenticate(client, username, _password, done) {
      const { commonName, expiresMs } = peerOf(client.conn as TLSSocket);
      const who = authenticate({ commonName, clientId: client.id, username }, revocations);
      if (who.kind === 'refused') {
        log.warn({ code: who.code, clientId: client.id, commonName }, 'connection refused');
        refused.add(client);
        done(Object.assign(new Error(who.code), { returnCode: NOT_AUTHORIZED }), false);
        return;
      }
      identities.set(client, who);
      if (who.kind === 'device') devices.set(who.deviceId, { client, expiresMs });
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
      for (const deviceId of body.revoked) {
        if (!revocations.add(deviceId)) {
          log.error({ code: 'BROKER_REVOCATIONS_FULL', deviceId }, 'no room for a revocation');
        }
        cut(deviceId, 'BROKER_REVOKED');
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.error({ err: error }, 'revocations ignored');
    }
  }

  function cut(deviceId: string, code: 'BROKER_REVOKED' | 'BROKER_EXPIRED'): void {
    const connected = devices.get(deviceId);
    if (!connected) return;
    log.warn({ code, deviceId }, 'connection cut');
    connected.client.close();
  }

  const expiry = setInterval(() => {
    const now = Date.now();
    for (const [deviceId, { expiresMs }] of devices) {
      if (expiresMs <= now) cut(deviceId, 'BROKER_EXPIRED');
    }
  }, EXPIRY_CHECK_MS);

  aedes.on('clientDisconnect', (client) => {
    if (devices.get(client.id)?.client === client) devices.delete(client.id);
    const count = dropped.get(client);
    if (count !== undefined) log.warn({ clientId: client.id, count }, 'dropped in this connection');
  });
  const ended = (client: Client, error: NodeJS.ErrnoException): void => {
    const event = { clientId: client.id, reason: error.message.slice(0, 200) };
    // A socket's own errors have a code: a client that went, not one that broke the protocol.
    const went = error.code !== undefined || ORDINARY_ENDS.has(error.message);
    if (went || refused.has(client)) log.debug(event, 'connection ended');
    else log.warn({ ...event, code: 'BROKER_PROTOCOL' }, 'connection cut');
  };
  aedes.on('clientError', ended);
  aedes.on('connectionError', ended);

  const { server, port } = await listen(
    configuration,
    (socket) => {
      guard(socket, configuration.maxPacketBytes, log);
      aedes.handle(socket);
    },
    log,
  );
  return {
    host: configuration.host,
    port,
    close: () =>
      new Promise((resolve) => {
        clearInterval(expiry);
        server.close(() => {
          resolve();
        });
        aedes.close();
      }),
  };
}

/** Cuts a connection whose next packet is too large, by looking at what is read from its socket. */
function guard(socket: TLSSocket, maxPacketBytes: number, log: Logger): void {
  const packets = new PacketGuard(maxPacketBytes);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const bytes = read(size) as Buffer | null;
    if (bytes === null || packets.admits(bytes)) return bytes;
    log.warn({ code: 'BROKER_PACKET', maxPacketBytes }, 'connection cut: packet too large');
    socket.destroy();
    return null;
  };
}
