import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { reasonOf } from './finding.js';

/** Who answered at a broker's address. */
export type Dialled =
  | { readonly kind: 'broker' }
  | { readonly kind: 'stranger' }
  | { readonly kind: 'untrusted'; readonly why: string }
  | { readonly kind: 'silent'; readonly why: string };

const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };
const CONNACK = 0x20;

/** CONNECT of MQTT 3.1.1 (section 3.1) with a clean session, 10 s, and nobody's name. */
const HELLO = Buffer.from([
  ...[0x10, 27, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 10],
  ...[0, 15, ...Buffer.from('espalier-doctor', 'ascii')],
]);

/**
 * Says hello to a broker as a stranger. It may refuse, which is an answer of a broker, too; one that
 * knows its clients by certificates ends the handshake, which is another.
 * @param url `mqtt:` or `mqtts:`
 * @param authorities PEM certificates to know it by; none: those of the system
 */
export function dialBroker(
  url: string,
  authorities: string | undefined,
  signal: AbortSignal,
): Promise<Dialled> {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === 'mqtts:' || protocol === 'tls:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const number = Number(port) || (PORTS[secure ? 'mqtts:' : 'mqtt:'] ?? 0);
  const ca = authorities === undefined ? {} : { ca: authorities };
  return new Promise((resolve) => {
    let trusted = !secure;
    const socket: Socket = secure
      ? connectTls({ host, port: number, servername: host, ...ca }, () => {
          trusted = true;
          socket.write(HELLO);
        })
      : connect({ host, port: number }, () => socket.write(HELLO));
    const end = (dialled: Dialled): void => {
      signal.removeEventListener('abort', late);
      socket.destroy();
      resolve(dialled);
    };
    const late = (): void => end({ kind: 'silent', why: 'no answer in time' });
    signal.addEventListener('abort', late, { once: true });
    socket.once('data', (data) => end({ kind: data[0] === CONNACK ? 'broker' : 'stranger' }));
    socket.once('close', () => end({ kind: 'stranger' }));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const why = reasonOf(error);
      if (!secure || error.syscall === 'connect' || error.code === 'ENOTFOUND') {
        end({ kind: 'silent', why });
      } else end(trusted ? { kind: 'broker' } : { kind: 'untrusted', why });
    });
  });
}
