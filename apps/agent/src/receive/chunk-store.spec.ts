import {
  appendFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chunkOf, manifestOf } from '@espalier/delivery';
import { ChunkStore, downloadPaths, prepareDownload, storedManifest } from './chunk-store.js';

const artifact = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) % 251);
const manifest = manifestOf(artifact, 64);
const frame = (index: number) => ({
  artifactSha256: manifest.sha256,
  index,
  payload: chunkOf(artifact, manifest, index),
});

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'espalier-chunks-')), 'download');
  prepareDownload(directory, manifest);
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

function storedAfter(indices: number[]): void {
  const store = ChunkStore.open(directory, manifest);
  for (const index of indices) store.put(frame(index));
  store.close();
}
const missing = () => {
  const store = ChunkStore.open(directory, manifest);
  const asked = store.receiver.ask(256);
  store.close();
  return asked;
};

describe('the chunk store', () => {
  it('holds after a new start what it was given, and the whole artifact in the end', () => {
    storedAfter([3, 0, 15]);
    expect(missing()).toEqual([1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    storedAfter(missing());
    expect(missing()).toEqual([]);
    expect(readFileSync(downloadPaths(directory).artifact).equals(artifact)).toBe(true);
  });

  it('asks again for a chunk whose bytes are not what the notes say, as after a power cut', () => {
    storedAfter([0, 1, 2]);
    const file = openSync(downloadPaths(directory).artifact, 'r+');
    writeSync(file, Buffer.from([255]), 0, 1, 70);
    expect(missing()).toContain(1);
    expect(missing()).not.toContain(0);
  });

  it('begins anew when its notes cannot be read, and never takes another length for the artifact', () => {
    storedAfter([0, 1]);
    writeFileSync(downloadPaths(directory).progress, Buffer.from('no bitmap at all'));
    expect(missing()).toHaveLength(manifest.chunks.length);
    storedAfter([0]);
    appendFileSync(downloadPaths(directory).artifact, Buffer.alloc(5000));
    storedAfter(missing());
    expect(readFileSync(downloadPaths(directory).artifact)).toHaveLength(artifact.length);
  });

  it('keeps the chunks of the same artifact and drops those of another', () => {
    storedAfter([0, 1]);
    prepareDownload(directory, manifest);
    expect(missing()).not.toContain(0);
    const other = manifestOf(Buffer.from('another artifact'), 64);
    prepareDownload(directory, other);
    expect(storedManifest(directory)).toEqual(other);
    prepareDownload(directory, manifest);
    expect(missing()).toContain(0);
  });
});
