import { parseJson } from './json.js';

const parsed = (text: string): unknown => parseJson(Buffer.from(text));

describe('JSON from outside', () => {
  it.each([String.raw`"\ud800"`, String.raw`{"a":["x\uDC00\ud800"]}`, String.raw`{"\u0000":1}`])(
    'with text that no database stores is refused: %s',
    (text) => {
      expect(() => parsed(text)).toThrow(expect.objectContaining({ code: 'PROTOCOL_TEXT' }));
    },
  );

  it('may have any Unicode text, escaped or not, and escapes that are escaped', () => {
    const value = { 'schlüssel 😀': ['\\ud800', '😀', '\u202e'] };
    expect(parsed(JSON.stringify(value))).toEqual(value);
    expect(parsed(String.raw`"\ud83d\ude00 \\u0000"`)).toBe(String.raw`😀 \u0000`);
  });
});
