import { Inject, Injectable, Logger } from '@nestjs/common';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import type { Caller } from './caller.js';
import { ROLES, type Role } from './roles.js';

const ANSWER_MS = 5_000;
const TRY_AGAIN_MS = 30_000;
const CLOCK_TOLERANCE_S = 30;
/** Signatures alone: a shared secret would let whoever verifies also sign. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

/** The identity provider whose tokens count, and what it says of roles. */
export interface OidcSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Path of a claim with a role or several, `realm_access.roles`. */
  readonly roleClaim: string;
}

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** Verifies bearer tokens of an OpenID Connect issuer, by the keys that it publishes. */
@Injectable()
export class OpenIdConnect {
  private readonly logger = new Logger('oidc');
  private readonly settings: OidcSettings | null;
  private keys: Promise<JWTVerifyGetKey> | null = null;
  private failedAt = -Infinity;

  constructor(@Inject(CONFIGURATION) { oidc }: Pick<Configuration, 'oidc'>) {
    this.settings = oidc;
  }

  /** Who a JWT stands for; null: nobody, or nobody with a role here. */
  async callerOf(jwt: string): Promise<Caller | null> {
    const { settings } = this;
    if (!settings || Date.now() - this.failedAt < TRY_AGAIN_MS) return null;
    try {
      this.keys ??= discover(settings.issuer);
      const { payload } = await jwtVerify(jwt, await this.keys, {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ['exp', 'sub'],
      });
      return callerIn(payload, settings.roleClaim);
    } catch (cause) {
      if (cause instanceof errors.JOSEError && !(cause instanceof errors.JWKSTimeout)) return null;
      this.keys = null;
      this.failedAt = Date.now();
      this.logger.warn({ msg: 'the issuer does not answer', why: String(cause) });
      return null;
    }
  }
}

/** OpenID Connect Discovery 1.0, section 4. */
async function discover(issuer: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(ANSWER_MS),
    redirect: 'error',
  });
  const found = discoverySchema.parse(await response.json());
  if (found.issuer !== issuer) throw new Error(`It says that it is ${found.issuer}.`);
  return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: ANSWER_MS });
}

function callerIn(payload: JWTPayload, roleClaim: string): Caller | null {
  const role = roleIn(payload, roleClaim);
  if (role === null || payload.sub === undefined || payload.exp === undefined) return null;
  const known = payload['preferred_username'] ?? payload['email'] ?? payload.sub;
  return {
    name: `oidc:${String(known).slice(0, 64)}`,
    role,
    by: 'oidc',
    id: `oidc:${payload.sub}`,
    expiresAt: new Date(payload.exp * 1000),
  };
}

/** The highest role that a claim names. */
function roleIn(payload: JWTPayload, path: string): Role | null {
  let found: unknown = payload;
  for (const part of path.split('.')) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, part) : undefined;
  }
  const named: unknown[] = Array.isArray(found) ? found : [found];
  return [...ROLES].reverse().find((role) => named.includes(role)) ?? null;
}
