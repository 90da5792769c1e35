import pino from 'pino';
import { newSecret } from '../access/token-secret.js';
import { REDACTION } from './secrets.js';

describe('the log', () => {
  it('has no secret, whether its name or only its form tells it', () => {
    const lines: string[] = [];
    const log = pino({ ...REDACTION }, { write: (line: string) => void lines.push(line) });
    const secrets = {
      session: newSecret('session'),
      api: newSecret('api'),
      claim: 'esp1.LC0tJUrm-23g.ghW6boexp26zAsqLXbQR',
      jwt: 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl',
      password: 'correct horse battery',
    };
    const { session, api, claim, jwt, password } = secrets;
    log.info({ body: { password }, request: { headers: { authorization: `Bearer ${jwt}` } } });
    log.warn(`token ${session} at http://127.0.0.1/?token=${api}`);
    log.error(new Error(`postgresql://ada:${encodeURIComponent(password)}@db/espalier refused`));
    log.info({ deep: [{ why: `claim ${claim}, Authorization: Bearer ${jwt}` }] }, 'refused');
    const text = lines.join('');
    for (const secret of [...Object.values(secrets), encodeURIComponent(password)]) {
      expect(text).not.toContain(secret);
    }
    expect(text).toContain('@db/espalier refused'.replace('@', '[secret]@'));
    expect(lines.map((line) => JSON.parse(line) as object)).toHaveLength(4);
  });
});
