import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension, ApiOperation, ApiSecurity } from '@nestjs/swagger';
import type { Role } from './roles.js';

/** Name of a route's {@link RouteAccess} in its metadata. */
export const ACCESS = 'espalier:access';

/** Name of the security scheme in the OpenAPI document. */
export const SECURITY_SCHEME = 'token';

/** Who may use a route. */
export interface RouteAccess {
  readonly least: Role | 'public';
  /** Nothing changes, although the method is not GET: nothing for the audit log. */
  readonly reads: boolean;
}

/** The least role that a route asks for; the server does not start with a route that has none. */
export const LeastRole = (
  least: RouteAccess['least'],
  { reads = false }: { reads?: boolean } = {},
): MethodDecorator => {
  const who = least === 'public' ? 'Anyone.' : `Role ${least} or above.`;
  return applyDecorators(
    SetMetadata(ACCESS, { least, reads } satisfies RouteAccess),
    ApiExtension('x-least-role', least),
    ApiOperation({ description: who }),
    ...(least === 'public' ? [] : [ApiSecurity(SECURITY_SCHEME)]),
  );
};
