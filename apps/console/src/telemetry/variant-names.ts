/** The variant of a key, which is `release/variant`. */
export const variantOf = (key: string): string => key.slice(key.indexOf('/') + 1);

/** Names of keys, with the release where one name is that of several. */
export function distinctly(
  keys: readonly string[],
  nameOf: (key: string) => string,
): (key: string) => string {
  return (key) => {
    const name = nameOf(key);
    const alone = keys.filter((one) => nameOf(one) === name).length === 1;
    return alone ? name : `${name} (${key.split('/', 1)[0] ?? key})`;
  };
}
