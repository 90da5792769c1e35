import {
  CONTENT_FILTER,
  deviceFilter,
  LIMITS,
  SERVER_NAME,
  UP_KINDS,
  upTopic,
} from '@espalier/protocol';
import { join } from 'node:path';
import { BROKER_FILES } from './identities.js';

/** Names of Mosquitto's files, beside those of any broker. */
export const MOSQUITTO_FILES = {
  configuration: 'mosquitto.conf',
  access: 'access',
  /** Rules of the operator's own, for other clients than the fleet's; need not be there. */
  ownAccess: 'access.local',
  processId: 'mosquitto.pid',
} as const;

/** Room for MQTT's own bytes beside the largest message. */
const PACKET_SLACK_BYTES = 4096;
const QUEUED_MESSAGES = 2000;

/** Where Mosquitto listens, and from which folder. */
export interface MosquittoSettings {
  /** The folder that holds its files, absolute. */
  readonly folder: string;
  readonly port: number;
  /** Address that it binds; none: every one. */
  readonly address?: string;
  /** System user that it runs as: the server's, which rewrites files and makes it read them again. */
  readonly user: string;
}

/** The text of mosquitto.conf (Mosquitto 2.0.11 or later). */
export function mosquittoConfiguration(settings: MosquittoSettings): string {
  const { folder, port, address } = settings;
  const path = (name: string): string => join(folder, name);
  return [
    '# Made by `espalier broker mosquitto-config`.',
    `listener ${port}${address === undefined ? '' : ` ${address}`}`,
    `cafile ${path(BROKER_FILES.ca)}`,
    `certfile ${path(BROKER_FILES.certificate)}`,
    `keyfile ${path(BROKER_FILES.privateKey)}`,
    `crlfile ${path(BROKER_FILES.revoked)}`,
    'require_certificate true',
    'use_identity_as_username true',
    'use_username_as_clientid true',
    'tls_version tlsv1.2',
    'allow_anonymous false',
    `acl_file ${path(MOSQUITTO_FILES.access)}`,
    `pid_file ${path(MOSQUITTO_FILES.processId)}`,
    `user ${settings.user}`,
    'persistence false',
    'retain_available false',
    `max_packet_size ${LIMITS.controlMessageBytes + PACKET_SLACK_BYTES}`,
    `max_queued_messages ${QUEUED_MESSAGES}`,
    'log_dest stderr',
    '',
  ].join('\n');
}

/**
 * The text of the access file: a device writes its own messages and reads those to it and the
 * broadcasts; the server does everything; a revoked device, which may still be connected, nothing.
 * @param own rules of the operator's own, which are added
 */
export function mosquittoAccess(revoked: readonly string[], own = ''): string {
  return [
    ...revoked.flatMap((deviceId) => [`user ${deviceId}`, 'topic deny #']),
    `user ${SERVER_NAME}`,
    'topic readwrite espalier/#',
    ...UP_KINDS.map((kind) => `pattern write ${upTopic('%u', kind)}`),
    `pattern read ${deviceFilter('%u')}`,
    `pattern read ${CONTENT_FILTER}`,
    own,
    '',
  ].join('\n');
}
