import {
  decodeMessage,
  DOWN_SCHEMAS,
  ProtocolError,
  type Ack,
  type DownKind,
  type Measure,
  type Message,
  type ShadowOrder,
  type TargetMessage,
} from '@espalier/protocol';
import type { Logger } from 'pino';
import type { Greeting } from './greeting.js';

/** Who heeds what the server says. */
export interface ServerMessageListener {
  /** The highest epoch seen. */
  epoch(): number;
  chunk(frame: Uint8Array): void;
  target(message: TargetMessage): void;
  ack(ack: Ack): void;
  shadow(order: ShadowOrder): void;
  measure(request: Measure): void;
}

/** Hands each message of the server on, parsed; what cannot be read, or is a former server's, is dropped. */
export class ServerMessages {
  constructor(
    private readonly listener: ServerMessageListener,
    private readonly greeting: Pick<Greeting, 'later'>,
    private readonly log: Logger,
  ) {}

  /** Takes one message; never throws. */
  take(kind: DownKind, payload: Uint8Array): void {
    try {
      if (kind === 'chunk') this.listener.chunk(payload);
      else this.#control(kind, payload);
    } catch (error) {
      if (error instanceof ProtocolError) {
        this.log.warn({ kind, code: error.code, reason: error.message }, 'message dropped');
        return;
      }
      // As on a full disk; the server gives it again.
      this.log.error({ err: error, kind }, 'a message cannot be acted on now');
      this.greeting.later();
    }
  }

  #control(kind: Exclude<DownKind, 'chunk'>, payload: Uint8Array): void {
    const { listener } = this;
    switch (kind) {
      case 'target':
        return this.#heed(decodeMessage(payload, DOWN_SCHEMAS.target), (body) =>
          listener.target(body),
        );
      case 'ack':
        return this.#heed(decodeMessage(payload, DOWN_SCHEMAS.ack), (body) => listener.ack(body));
      case 'shadow':
        return this.#heed(decodeMessage(payload, DOWN_SCHEMAS.shadow), (body) =>
          listener.shadow(body),
        );
      case 'measure':
        return this.#heed(decodeMessage(payload, DOWN_SCHEMAS.measure), (body) =>
          listener.measure(body),
        );
    }
  }

  /** Heeds a message unless a later server has spoken already. */
  #heed<T>({ epoch, body }: Message<T>, heed: (body: T) => void): void {
    const seen = this.listener.epoch();
    if (epoch >= seen) heed(body);
    else this.log.warn({ epoch, seen }, 'message of a former server dropped');
  }
}
