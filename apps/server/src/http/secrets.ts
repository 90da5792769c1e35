const HIDDEN = '[secret]';

/** Forms of what nobody may read in a log: our tokens, others' tokens, passwords in addresses, keys. */
const SECRETS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\besp[st]_[A-Za-z0-9_-]{8,}/g, HIDDEN],
  [/\besp1\.[A-Za-z0-9_.-]{8,}/g, HIDDEN],
  [/\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, HIDDEN],
  [/\bBearer +[^\s"\\]+/gi, `Bearer ${HIDDEN}`],
  [/:\/\/[^\s/"@]+:[^\s/"@]+@/g, `://${HIDDEN}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----/gs, HIDDEN],
];

/** A text for the log without the secrets that are known by their form. */
export const withoutSecrets = (text: string): string =>
  SECRETS.reduce((kept, [pattern, instead]) => kept.replace(pattern, instead), text);

const NAMES = ['password', 'passwordHash', 'current', 'token', 'secret', 'authorization', 'cookie'];

/** For pino: secrets are taken out by their names, and by their form wherever they stand. */
export const REDACTION = {
  redact: {
    paths: NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
    censor: HIDDEN,
  },
  hooks: { streamWrite: withoutSecrets },
};
