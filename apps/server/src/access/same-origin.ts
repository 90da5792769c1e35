/** What of a request tells where it came from. */
export interface Origins {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Whether a request that rests on a cookie comes from our own pages: what changes something must
 * say so by the headers that browsers set and pages cannot.
 */
export function fromOurPages({ method, host, origin, fetchSite }: Origins): boolean {
  if (SAFE.includes(method)) return true;
  if (fetchSite !== undefined) return fetchSite === 'same-origin';
  if (origin === undefined || host === undefined) return false;
  return URL.canParse(origin) && new URL(origin).host === host;
}
