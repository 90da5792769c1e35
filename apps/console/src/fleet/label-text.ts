const KEY = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

/** Labels written as `site=lyon,line=3`; null when they are not. */
export function parseLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  for (const term of text.split(',').filter((part) => part.trim() !== '')) {
    const at = term.indexOf('=');
    const key = term.slice(0, Math.max(0, at)).trim();
    const value = term.slice(at + 1).trim();
    if (!KEY.test(key) || value === '' || value.length > 128) return null;
    labels[key] = value;
  }
  return labels;
}
