import { Controller, Get, Module, type Type } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DeclaredRoutes } from './declared-routes.js';
import { LeastRole } from './least-role.js';

@Controller('open')
class Undeclared {
  @Get('declared')
  @LeastRole('viewer')
  declared(): string {
    return '';
  }

  @Get('forgotten')
  forgotten(): string {
    return '';
  }
}

@Controller('closed')
class Declared {
  @Get()
  @LeastRole('public')
  get(): string {
    return '';
  }

  /** No route, so that it needs no role. */
  helper(): string {
    return '';
  }
}

async function started(...controllers: Type[]): Promise<void> {
  @Module({ imports: [DiscoveryModule], controllers, providers: [DeclaredRoutes] })
  class Application {}
  const options = { logger: false, abortOnError: false } as const;
  const app = await NestFactory.create(Application, new FastifyAdapter(), options);
  try {
    await app.init();
  } finally {
    await app.close();
  }
}

describe('a server', () => {
  it('does not start with a route that says no role, and names it', async () => {
    await expect(started(Declared, Undeclared)).rejects.toMatchObject({
      code: 'ROUTE_WITHOUT_ROLE',
      message: expect.stringContaining('Undeclared.forgotten') as string,
    });
  });

  it('starts when every route says its role', async () => {
    await expect(started(Declared)).resolves.toBeUndefined();
  });
});
