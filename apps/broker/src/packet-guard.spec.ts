import fc from 'fast-check';
import { PacketGuard } from './packet-guard.js';

/** An MQTT packet with that many bytes after its fixed header. */
function packetOf(length: number): number[] {
  const digits: number[] = [];
  let rest = length;
  do {
    digits.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return [0x30, ...digits, ...new Array<number>(length).fill(0xff)];
}

describe('the packet guard', () => {
  it('admits packets up to its limit and none above, wherever the stream is cut into reads', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(400), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 97 }),
        fc.integer({ min: 1, max: 400 }),
        (lengths, read, limit) => {
          const stream = Uint8Array.from(lengths.flatMap(packetOf));
          const guard = new PacketGuard(limit);
          let admitted = true;
          for (let at = 0; admitted && at < stream.byteLength; at += read) {
            admitted = guard.admits(stream.subarray(at, at + read));
          }
          expect(admitted).toBe(lengths.every((length) => length <= limit));
        },
      ),
      { seed: 7 },
    );
  });

  it('does not wait for the end of a length that never ends', () => {
    const guard = new PacketGuard(1 << 30);
    expect(guard.admits(Uint8Array.from([0x30, 0x80, 0x80, 0x80, 0x80]))).toBe(false);
  });
});
