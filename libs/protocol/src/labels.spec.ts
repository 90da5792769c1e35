import { withLabel } from './labels.js';

describe('a label as it is written', () => {
  it('joins the others, over the former of its key', () => {
    const labels = { site: 'lyon', line: '3' };
    expect(withLabel(labels, 'line=4')).toEqual({ site: 'lyon', line: '4' });
    expect(withLabel({}, 'note=a=b')).toEqual({ note: 'a=b' });
    expect(withLabel({}, 'note=')).toEqual({ note: '' });
  });

  it('is none without a key, or with one that no selector can name', () => {
    for (const text of ['', 'site', '=lyon', 'Site=lyon', 'a b=c', `site=${'x'.repeat(129)}`]) {
      expect(withLabel({}, text)).toBeNull();
    }
  });
});
