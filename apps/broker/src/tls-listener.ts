import type { AddressInfo } from 'node:net';
import { setDefaultHighWaterMark } from 'node:stream';
import { createServer, type PeerCertificate, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Configuration } from './configuration.js';

/** Above what one bulk window leaves waiting, so that a write never waits for a drain before it. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A port that only holders of a good certificate get through. */
export interface Listener {
  readonly server: Server;
  readonly port: number;
}

/** Listens, and hands on each connection whose certificate the authority vouches for. */
export async function listen(
  { host, port, tls, maxClients }: Configuration,
  onConnection: (socket: TLSSocket) => void,
  log: Logger,
): Promise<Listener> {
  // A TLS server has no setting of its own for the buffers of its sockets.
  setDefaultHighWaterMark(false, SOCKET_BUFFER_BYTES);
  const server = createServer({
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    ...(tls.crl === undefined ? {} : { crl: tls.crl }),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    noDelay: true,
  });
  server.maxConnections = maxClients + 1000;
  server.on('secureConnection', onConnection);
  server.on('tlsClientError', (error, socket) => {
    const reason = (error as NodeJS.ErrnoException).code ?? error.message;
    log.warn({ code: 'BROKER_TLS', reason, from: socket.remoteAddress }, 'connection refused');
  });
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      if (cause.code !== 'EADDRINUSE') return reject(cause);
      const why = `Port ${port} of ${host} is taken by another program. Stop that one, or give the broker another port`;
      reject(new Error(`${why} (BROKER_PORT; ESPALIER_BROKER_PORT without a server).`, { cause }));
    };
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      resolve();
    });
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** The common name of a peer's certificate, and when it ends (milliseconds since 1970). */
export function peerOf(socket: TLSSocket): { commonName: string | undefined; expiresMs: number } {
  // Null once the socket is gone, whatever its type says.
  const certificate = socket.getPeerCertificate() as PeerCertificate | null;
  // A certificate with several common names is nobody's.
  const name: unknown = certificate?.subject?.CN;
  return {
    commonName: typeof name === 'string' ? name : undefined,
    expiresMs: Date.parse(certificate?.valid_to ?? ''),
  };
}
