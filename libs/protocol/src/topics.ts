import { ProtocolError } from './errors.js';
import { deviceIdSchema, sha256Schema } from './primitives.js';

const ROOT = 'espalier/v1';

/** What a device says: its own subtree, upwards. */
export const UP_KINDS = ['hello', 'profile', 'report', 'telemetry', 'need', 'shadow'] as const;
export type UpKind = (typeof UP_KINDS)[number];

/** What the server tells one device. */
export const DOWN_KINDS = ['target', 'ack', 'measure', 'shadow', 'chunk'] as const;
export type DownKind = (typeof DOWN_KINDS)[number];

/** Topic of a device's message to the server. */
export const upTopic = (deviceId: string, kind: UpKind): string =>
  `${ROOT}/devices/${deviceId}/up/${kind}`;

/** Topic of the server's message to one device. */
export const downTopic = (deviceId: string, kind: DownKind): string =>
  `${ROOT}/devices/${deviceId}/down/${kind}`;

/** Topic on which the chunks of one artifact are broadcast; the name is the artifact's SHA-256. */
export const contentTopic = (artifactSha256: string): string => `${ROOT}/content/${artifactSha256}`;

/** Filter that a device subscribes to for its own messages. */
export const deviceFilter = (deviceId: string): string => `${ROOT}/devices/${deviceId}/down/+`;

/** Filter that the server subscribes to for every device's messages. */
export const SERVER_FILTER = `${ROOT}/devices/+/up/+`;

/** Filter of every broadcast: the server listens to its own, to learn when the broker took them. */
export const CONTENT_FILTER = `${ROOT}/content/+`;

/** A topic, taken apart. */
export type Topic =
  | { direction: 'up'; deviceId: string; kind: UpKind }
  | { direction: 'down'; deviceId: string; kind: DownKind }
  | { direction: 'content'; artifactSha256: string };

const member = <T extends string>(list: readonly T[], value: string | undefined): T | undefined =>
  list.find((item) => item === value);

/**
 * Takes a topic apart.
 * @throws ProtocolError PROTOCOL_TOPIC when it is none of ours.
 */
export function parseTopic(topic: string): Topic {
  const parts = topic.split('/');
  const [product, version, branch, name, direction, kind] = parts;
  if (product === 'espalier' && version === 'v1') {
    if (branch === 'content' && parts.length === 4 && sha256Schema.safeParse(name).success) {
      return { direction: 'content', artifactSha256: String(name) };
    }
    const deviceId = deviceIdSchema.safeParse(name);
    if (branch === 'devices' && parts.length === 6 && deviceId.success) {
      const up = member(UP_KINDS, kind);
      if (direction === 'up' && up) return { direction, deviceId: deviceId.data, kind: up };
      const down = member(DOWN_KINDS, kind);
      if (direction === 'down' && down) return { direction, deviceId: deviceId.data, kind: down };
    }
  }
  throw new ProtocolError('PROTOCOL_TOPIC', `"${topic.slice(0, 200)}" is not a topic of ${ROOT}.`);
}

/** Whether a device may publish to a topic: only upwards in its own subtree. */
export function deviceMayPublish(deviceId: string, topic: string): boolean {
  return UP_KINDS.some((kind) => topic === upTopic(deviceId, kind));
}

/** Whether a device may subscribe to a filter: its own messages, and named broadcasts. */
export function deviceMaySubscribe(deviceId: string, filter: string): boolean {
  if (filter === deviceFilter(deviceId)) return true;
  if (DOWN_KINDS.some((kind) => filter === downTopic(deviceId, kind))) return true;
  const name = filter.startsWith(`${ROOT}/content/`) ? filter.slice(`${ROOT}/content/`.length) : '';
  return sha256Schema.safeParse(name).success;
}
