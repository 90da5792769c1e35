import { Injectable, type OnModuleInit } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { ServerError } from '../errors.js';
import { ACCESS } from './least-role.js';

/** Refuses to start with a route that does not say who may use it. */
@Injectable()
export class DeclaredRoutes implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** @throws ServerError ROUTE_WITHOUT_ROLE */
  onModuleInit(): void {
    for (const { metatype } of this.discovery.getControllers()) {
      const prototype = (metatype?.prototype ?? {}) as Record<string, unknown>;
      for (const name of this.scanner.getAllMethodNames(prototype)) {
        const handler = prototype[name];
        if (typeof handler !== 'function') continue;
        const isRoute = Reflect.hasMetadata(METHOD_METADATA, handler);
        if (!isRoute || Reflect.hasMetadata(ACCESS, handler)) continue;
        throw new ServerError(
          'ROUTE_WITHOUT_ROLE',
          500,
          `${metatype?.name ?? 'A controller'}.${name} is a route without @LeastRole(…).`,
        );
      }
    }
  }
}
