import fc from 'fast-check';
import { artifactParts, decodeArtifact, encodeArtifact, ENCODINGS } from './artifact.js';

const limits = (length: number): { length: number; maxBytes: number } => ({
  length,
  maxBytes: length,
});

describe.each(ENCODINGS)('an artifact in %s', (encoding) => {
  it('expands to the exact file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async (file) => {
        const { bytes } = await encodeArtifact(file, encoding);
        const back = await decodeArtifact(encoding, bytes, limits(file.length));
        expect(Buffer.compare(back, file)).toBe(0);
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it('is refused when the file is longer or shorter than announced', async () => {
    const { bytes } = await encodeArtifact(new Uint8Array(5000).fill(7), encoding);
    for (const length of [0, 4999, 5001]) {
      await expect(
        decodeArtifact(encoding, bytes, { length, maxBytes: 1e6 }),
      ).rejects.toMatchObject({ code: 'ARTIFACT_LENGTH' });
    }
  });

  it('is refused before any work when the file is over the bound', async () => {
    const { bytes } = await encodeArtifact(new Uint8Array(5000), encoding);
    const parts = artifactParts(encoding, bytes, { length: 5000, maxBytes: 4999 });
    await expect(parts.next()).rejects.toMatchObject({ code: 'ARTIFACT_TOO_LARGE' });
  });
});

describe('an artifact that says it becomes a thousand times as much', () => {
  it('is refused before anything is expanded', async () => {
    for (const encoding of ENCODINGS) {
      const parts = artifactParts(encoding, new Uint8Array(2000), limits(2 ** 30));
      await expect(parts.next()).rejects.toMatchObject({ code: 'ARTIFACT_TOO_LARGE' });
    }
  });

  it('is never made', async () => {
    const zeros = new Uint8Array(2 ** 22);
    const { encoding, bytes } = await encodeArtifact(zeros, 'best');
    expect(encoding).toBe('identity');
    expect(await decodeArtifact(encoding, bytes, limits(zeros.length))).toEqual(zeros);
  });
});

describe('corrupt artifacts', () => {
  it.each(ENCODINGS.filter((e) => e !== 'identity'))(
    'fail with a code in %s, whatever the damage',
    async (encoding) => {
      const file = Uint8Array.from({ length: 3000 }, (_, i) => (i * i) % 251);
      const { bytes } = await encodeArtifact(file, encoding);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(bytes.length - 1),
          fc.integer({ min: 1, max: 255 }),
          fc.nat(bytes.length),
          async (at, flip, keep) => {
            const damaged = bytes.slice(0, keep);
            if (at < keep) damaged[at] = (damaged[at] ?? 0) ^ flip;
            try {
              await decodeArtifact(encoding, damaged, limits(file.length));
            } catch (error) {
              expect((error as { code: string }).code).toMatch(/^ARTIFACT_/);
            }
          },
        ),
        { seed: 7 },
      );
    },
  );
});

describe('the best encoding', () => {
  it('leaves bytes as they are when nothing shortens them', async () => {
    const { encoding, bytes } = await encodeArtifact(Uint8Array.of(1, 200, 3), 'best');
    expect({ encoding, length: bytes.length }).toEqual({ encoding: 'identity', length: 3 });
  });

  it('shortens what repeats', async () => {
    const { encoding, bytes } = await encodeArtifact(new Uint8Array(10_000), 'best');
    expect(encoding).not.toBe('identity');
    expect(bytes.length).toBeLessThan(100);
  });
});
