import { Controller, Get, Header, Res, Sse, type MessageEvent } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { filter, interval, map, merge, takeUntil, type Observable } from 'rxjs';
import { CalledBy, type Caller } from '../access/caller.js';
import { LeastRole } from '../access/least-role.js';
import { Tokens } from '../access/tokens.js';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Database } from '../persistence/database.js';
import { SERVER_VERSION } from '../version.js';
import { EventStream } from './event-stream.js';
import { Metrics } from './metrics.js';

const KEEP_ALIVE_MS = 15_000;

/** How the server is, and what it does right now. */
@ApiExcludeController()
@Controller()
export class LiveController {
  constructor(
    private readonly events: EventStream,
    private readonly metrics: Metrics,
    private readonly database: Database,
    private readonly channel: DeviceChannel,
    private readonly tokens: Tokens,
  ) {}

  /** 200 while database and broker are there, else 503; the body says which. */
  @Get('health')
  @LeastRole('public')
  async health(@Res() reply: FastifyReply): Promise<void> {
    const database = await this.database.read.counter
      .count()
      .then(() => 'up')
      .catch(() => 'down');
    const broker = this.channel.connected ? 'up' : 'down';
    const status = database === 'up' && broker === 'up' ? 'ok' : 'error';
    const version = SERVER_VERSION;
    await reply.status(status === 'ok' ? 200 : 503).send({ status, version, database, broker });
  }

  @Get('metrics')
  @LeastRole('viewer')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  figures(): Promise<string> {
    return this.metrics.registry.metrics();
  }

  /** Ends with the caller's token. */
  @Sse('api/v1/events')
  @LeastRole('viewer')
  live(@CalledBy() { id, expiresAt }: Caller): Observable<MessageEvent> {
    const events = this.events
      .watch()
      .pipe(map(({ type, data }): MessageEvent => ({ type, data })));
    const alive = interval(KEEP_ALIVE_MS).pipe(
      map((): MessageEvent => ({ type: 'alive', data: {} })),
    );
    const expired = interval(KEEP_ALIVE_MS).pipe(
      filter(() => expiresAt !== null && expiresAt.getTime() <= Date.now()),
    );
    const ended = merge(this.events.closed(), this.tokens.ended(id), expired);
    return merge(events, alive).pipe(takeUntil(ended));
  }
}
