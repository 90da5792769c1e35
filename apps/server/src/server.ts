import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import multipart from '@fastify/multipart';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import type { Logger } from 'pino';
import { Authentication } from './access/authentication.js';
import { AppModule } from './app.module.js';
import { AuditTrail } from './audit/audit-trail.js';
import type { Configuration } from './configuration.js';
import { describeApi } from './http/api-description.js';
import { serveConsole } from './http/console-pages.js';
import { EventStream } from './http/event-stream.js';
import { harden, HTTP_LIMITS } from './http/hardening.js';
import { Metrics } from './http/metrics.js';
import { PinoLogger } from './http/pino-logger.js';
import { ProblemFilter } from './http/problem.js';
import { Database } from './persistence/database.js';
import { claimDatabase } from './persistence/claim.js';
import { keptAuthority } from './fleet/authority-files.js';
import { Keyring } from './release/keyring.js';

/** A running server. */
export interface RunningServer {
  readonly url: string;
  /** Stops taking requests, finishes what is at work, and lets the database go. */
  close(): Promise<void>;
}

/**
 * Starts the server: become the active one, migrate, raise the epoch, keys, then the API, the broker
 * and the clock.
 * @param onLost called when another server has become the active one
 * @throws ServerError DATABASE_TOO_NEW, DATABASE_CHANGED
 */
export async function startServer(
  configuration: Configuration,
  pino: Logger,
  onLost: (why: string) => void,
): Promise<RunningServer> {
  mkdirSync(configuration.dataDir, { recursive: true });
  const { applied, letGo } = await claimDatabase(configuration.database, {
    leaseMs: configuration.leaseMs,
    onLost,
    onWait: () => pino.info('another server is active; this one waits'),
  });
  try {
    const database = await Database.open(configuration.database);
    pino.info({ applied, epoch: database.epoch }, 'database open');
    const keyring = Keyring.open(
      join(configuration.dataDir, 'keys'),
      {
        selfSign: configuration.selfSign,
        releaseKeys: configuration.releaseKeys.map((key) => Buffer.from(key, 'base64')),
      },
      Date.now(),
    );
    const authority = await keptAuthority(join(configuration.dataDir, 'keys'), Date.now());
    if (keyring.signsReleases) {
      pino.warn(
        'ESPALIER_SELF_SIGN=1: this server signs releases by itself; for demonstrations only',
      );
    }
    const app = await listen(
      AppModule.on({ configuration, database, keyring, authority }),
      configuration,
      pino,
    );
    const { port } = app.getHttpServer().address() as AddressInfo;
    const url = `http://${configuration.host}:${port}`;
    return {
      url,
      close: async () => {
        app.get(EventStream).close();
        await app.close();
        await database.close();
        await letGo();
      },
    };
  } catch (cause) {
    await letGo();
    throw cause;
  }
}

async function listen(
  module: ReturnType<typeof AppModule.on>,
  configuration: Configuration,
  pino: Logger,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: HTTP_LIMITS.bodyBytes,
    http: { maxHeaderSize: HTTP_LIMITS.headerBytes },
    trustProxy: configuration.trustedProxies.length > 0 && configuration.trustedProxies,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 256 },
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: new PinoLogger(pino),
    abortOnError: false,
  });
  await app.register(multipart);
  app.useGlobalFilters(new ProblemFilter());
  app.get(Authentication).install(adapter.getInstance());
  app.get(AuditTrail).install(adapter.getInstance());
  await harden(app, configuration);
  const metrics = app.get(Metrics);
  adapter.getInstance().addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
  SwaggerModule.setup('api/docs', app, describeApi(app));
  await serveConsole(adapter.getInstance());
  await listenAt(app, configuration);
  return app;
}

async function listenAt(
  app: NestFastifyApplication,
  { port, host }: Pick<Configuration, 'port' | 'host'>,
): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new Error(
      `Port ${port} of ${host} is taken by another program. Stop that one, or set PORT to another.`,
      { cause },
    );
  }
}
