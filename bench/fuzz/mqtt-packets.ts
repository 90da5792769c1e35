/** MQTT 3.1.1 packets as bytes, so that they can be spoilt before they are sent. */

const text = (value: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};

export function packet(type: number, flags: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([(type << 4) | flags, ...length]), body]);
}

/** Who connects, and how. */
export interface Login {
  readonly clientId?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | Buffer | undefined;
}

export const connectPacket = ({ clientId = '', username, password }: Login): Buffer => {
  const flags = 2 | (username === undefined ? 0 : 128) | (password === undefined ? 0 : 64);
  return packet(
    1,
    0,
    ...[text('MQTT'), Buffer.from([4, flags, 0, 60]), text(clientId)],
    ...(username === undefined ? [] : [text(username)]),
    ...(password === undefined ? [] : [text(password)]),
  );
};
export const publishPacket = (topic: string, payload: Uint8Array, id: number): Buffer =>
  packet(3, 2, text(topic), Buffer.from([id >> 8, id & 255]), payload);
export const subscribePacket = (filter: string, id: number): Buffer =>
  packet(8, 2, Buffer.from([id >> 8, id & 255]), text(filter), Buffer.from([1]));
export const unsubscribePacket = (filter: string, id: number): Buffer =>
  packet(10, 2, Buffer.from([id >> 8, id & 255]), text(filter));
export const acknowledgement = (type: number, id: number): Buffer =>
  packet(type, type === 6 ? 2 : 0, Buffer.from([id >> 8, id & 255]));
export const PING = Buffer.from([0xc0, 0]);
export const PING_ANSWER = Buffer.from([0xd0, 0]);
