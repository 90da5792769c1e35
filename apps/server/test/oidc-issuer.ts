import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from 'jose';

interface Wishes {
  readonly issuer?: string;
  readonly audience?: string;
  readonly expiresAt?: number;
  readonly key?: 'own' | 'of another' | 'none';
}

/** An OpenID Connect issuer of its own: discovery, keys, and tokens signed with them. */
export class OidcIssuer {
  private constructor(
    private readonly server: Server,
    private readonly own: CryptoKey,
    private readonly another: CryptoKey,
  ) {}

  static async start(): Promise<OidcIssuer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
    const server = createServer((request, response) => {
      const url = `http://${request.headers.host ?? ''}`;
      const documents: Record<string, object> = {
        '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys` },
        '/keys': { keys: [jwk] },
      };
      const document = documents[request.url ?? ''];
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document ?? {}));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OidcIssuer(server, privateKey, (await generateKeyPair('ES256')).privateKey);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** A token of `ada` with claims. */
  token(claims: Record<string, unknown>, wishes: Wishes = {}): Promise<string> {
    const expiresAt = wishes.expiresAt ?? Date.now() + 3_600_000;
    const payload = {
      ...{ sub: 'subject-1', preferred_username: 'ada', ...claims },
      ...{ iss: wishes.issuer ?? this.url, aud: wishes.audience ?? 'espalier' },
      exp: Math.floor(expiresAt / 1000),
    };
    if (wishes.key === 'none') return Promise.resolve(new UnsecuredJWT(payload).encode());
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .sign(wishes.key === 'of another' ? this.another : this.own);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
