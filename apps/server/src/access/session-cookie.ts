const NAME = 'espalier_session';

/** A session's token as a cookie that scripts cannot read and other sites cannot send. */
export const sessionCookie = (token: string, expiresAt: Date, secure: boolean): string =>
  cookie(token, `Expires=${expiresAt.toUTCString()}`, secure);

/** Takes the cookie back. */
export const noSessionCookie = (secure: boolean): string => cookie('', 'Max-Age=0', secure);

/** The token in a request's cookies; null: none. */
export function tokenInCookies(header: string | undefined): string | null {
  for (const part of header?.split(';') ?? []) {
    const [name, value] = part.trim().split('=');
    if (name === NAME && value) return value;
  }
  return null;
}

const cookie = (value: string, lifetime: string, secure: boolean): string =>
  [`${NAME}=${value}`, 'Path=/', lifetime, 'HttpOnly', 'SameSite=Strict']
    .concat(secure ? ['Secure'] : [])
    .join('; ');
