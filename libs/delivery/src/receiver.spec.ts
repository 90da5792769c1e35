import type { ChunkFrame, Manifest } from '@espalier/protocol';
import fc from 'fast-check';
import { answerNeed, Bitmap, chunkLength, chunkOf, manifestOf, Receiver, sha256 } from './index.js';

/** What happens to one chunk on its way. */
const fates = fc.constantFrom('arrives', 'lost', 'twice', 'late', 'corrupt', 'cut', 'renumbered');

const frameOf = (artifact: Uint8Array, manifest: Manifest, index: number): ChunkFrame => ({
  artifactSha256: manifest.sha256,
  index,
  payload: chunkOf(artifact, manifest, index),
});

function damaged(frame: ChunkFrame): ChunkFrame {
  const payload = Uint8Array.from(frame.payload);
  payload[0] = (payload[0] ?? 0) ^ 1;
  return { ...frame, payload };
}

/** One round over a bad link: what arrives, in the order in which it arrives. */
function carry(frames: ChunkFrame[], fate: (at: number) => string): ChunkFrame[] {
  const now: ChunkFrame[] = [];
  const late: ChunkFrame[] = [];
  frames.forEach((frame, at) => {
    switch (fate(at)) {
      case 'arrives':
        return now.push(frame);
      case 'twice':
        return now.push(frame, frame);
      case 'late':
        return late.unshift(frame);
      case 'corrupt':
        return now.push(damaged(frame));
      case 'cut':
        return now.push({ ...frame, payload: frame.payload.subarray(1) });
      case 'renumbered':
        return now.push({ ...frame, index: frame.index + 1 });
      default:
        return 0;
    }
  });
  return [...now, ...late];
}

describe('a manifest', () => {
  it('gives the last chunk what is left, never nothing, never more than a chunk', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 64 }),
        (artifact, size) => {
          const manifest = manifestOf(artifact, size);
          const lengths = manifest.chunks.map((_, index) => chunkLength(manifest, index));
          expect(lengths.slice(0, -1).every((length) => length === size)).toBe(true);
          expect(lengths.at(-1)).toBe(artifact.byteLength % size || size);
          expect(chunkLength(manifest, manifest.chunks.length)).toBe(0);
          const joined = Buffer.concat(
            manifest.chunks.map((_, i) => chunkOf(artifact, manifest, i)),
          );
          expect(sha256(joined)).toBe(manifest.sha256);
        },
      ),
      { seed: 7 },
    );
  });

  it('is refused for an empty artifact, and when its chunks do not follow from its length', () => {
    const code = expect.objectContaining({ code: 'DELIVERY_MANIFEST' });
    expect(() => manifestOf(new Uint8Array())).toThrow(code);
    const manifest = manifestOf(new Uint8Array(130), 64);
    expect(() => new Receiver({ ...manifest, length: 128 })).toThrow(code);
  });
});

describe('a receiver', () => {
  it('ends with the whole artifact and nothing else, over any link that lets something through', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 900 }),
        fc.array(fates, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (artifact, link, window, restarts) => {
          const manifest = manifestOf(artifact, 32);
          const stored = new Uint8Array(artifact.byteLength);
          let receiver = new Receiver(manifest);
          let step = 0;
          for (let round = 0; !receiver.whole && round < 500; round += 1) {
            const indices = receiver.ask(window);
            expect(receiver.outstanding).toBeLessThanOrEqual(window);
            const frames = indices.map((index) => frameOf(artifact, manifest, index));
            const fate = () => (round > 100 ? 'arrives' : (link[step++ % link.length] ?? 'lost'));
            for (const frame of carry(frames, fate)) {
              const verdict = receiver.accept(frame);
              if (verdict.kind === 'accepted') stored.set(frame.payload, verdict.offset);
            }
            receiver.forgetAsked();
            if (restarts) {
              receiver = new Receiver(manifest, {
                held: Bitmap.parse(receiver.bitmap(), manifest.chunks.length),
                receivedBytes: receiver.receivedBytes,
              });
            }
          }
          expect(receiver.whole).toBe(true);
          expect(sha256(stored)).toBe(manifest.sha256);
        },
      ),
      { seed: 7 },
    );
  });

  it('says why it refuses a chunk, and holds nothing of it', () => {
    const artifact = Uint8Array.from({ length: 100 }, (_, at) => at);
    const manifest = manifestOf(artifact, 64);
    const receiver = new Receiver(manifest);
    const frame = frameOf(artifact, manifest, 1);
    const verdict = (given: ChunkFrame) => receiver.accept(given);
    expect(verdict({ ...frame, artifactSha256: 'f'.repeat(64) })).toMatchObject({
      code: 'CHUNK_OTHER_ARTIFACT',
    });
    expect(verdict({ ...frame, index: 2 })).toMatchObject({ code: 'CHUNK_INDEX' });
    expect(verdict({ ...frame, payload: new Uint8Array(64) })).toMatchObject({
      code: 'CHUNK_LENGTH',
    });
    expect(verdict(damaged(frame))).toMatchObject({ code: 'CHUNK_HASH' });
    expect(receiver.receivedChunks).toBe(0);
    expect(verdict(frame)).toEqual({ kind: 'accepted', offset: 64 });
    expect(verdict(frame)).toEqual({ kind: 'duplicate' });
    expect(receiver.receivedBytes).toBe(36 + 64 + 36 + 36 + 36);
  });

  it('asks for a chunk once until it gives up waiting, and asks again for one it could not store', () => {
    const artifact = new Uint8Array(320);
    const manifest = manifestOf(artifact, 32);
    const receiver = new Receiver(manifest);
    expect(receiver.ask(4)).toEqual([0, 1, 2, 3]);
    expect(receiver.ask(4)).toEqual([]);
    receiver.accept(frameOf(artifact, manifest, 1));
    expect(receiver.ask(4)).toEqual([4]);
    receiver.drop(1);
    receiver.forgetAsked();
    expect(receiver.ask(3)).toEqual([0, 1, 2]);
  });
});

describe('the answer to a need', () => {
  const manifest = manifestOf(new Uint8Array(320), 32);
  const current = { generation: 7, manifest };
  const need = {
    generation: 7,
    artifactSha256: manifest.sha256,
    chunkCount: 10,
    receivedChunks: 0,
    held: Buffer.from(new Bitmap(10).serialise()).toString('base64'),
    indices: [3, 1, 3, 2],
  };

  it('sends each chunk once, leaves out what is queued, and keeps to one window', () => {
    expect(answerNeed(need, current)).toEqual({ kind: 'send', indices: [3, 1, 2] });
    expect(answerNeed(need, current, new Set([1]))).toEqual({ kind: 'send', indices: [3, 2] });
    expect(answerNeed(need, current, new Set([9, 8]), 3)).toEqual({ kind: 'send', indices: [3] });
    expect(answerNeed(need, current, new Set([9, 8]), 1)).toEqual({ kind: 'send', indices: [] });
  });

  it('sends nothing for another generation, artifact or chunk count, nor after a halt', () => {
    const refusal = (changes: object, now: typeof current | null = current) =>
      answerNeed({ ...need, ...changes }, now);
    expect(refusal({}, null)).toMatchObject({ code: 'NEED_GENERATION' });
    expect(refusal({ generation: 6 })).toMatchObject({ code: 'NEED_GENERATION' });
    expect(refusal({ artifactSha256: 'f'.repeat(64) })).toMatchObject({ code: 'NEED_ARTIFACT' });
    expect(refusal({ chunkCount: 11 })).toMatchObject({ code: 'NEED_CHUNK_COUNT' });
    expect(refusal({ indices: [10] })).toMatchObject({ code: 'NEED_INDEX' });
  });
});
