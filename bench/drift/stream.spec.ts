import { seededRandom } from '@espalier/dataset';
import { DriftBets, DriftWatch, StreamMemory, WindowSketch } from '@espalier/evidence';
import type { Seen } from './images.js';
import { classShares, DeviceStream, decksOf, WINDOW_DAYS, WINDOW_ITEMS } from './stream.js';

const CLASSES = 4;

/** Images of a few classes, each brighter than the one before. */
function images(seed: number, count: number): Seen[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, at) => ({
    label: at % CLASSES,
    input: {
      channelMeans: [random.normal(), random.normal(), random.normal()],
      brightness: 0.2 * (at % CLASSES) + random.normal(),
      contrast: 1 + random.next(),
    },
    output: {
      predicted: (at + (random.next() < 0.1 ? 1 : 0)) % CLASSES,
      confidence: 4 * random.next(),
    },
  }));
}

function sketchOf(seen: readonly Seen[], memory = new StreamMemory()): WindowSketch {
  const sketch = new WindowSketch();
  for (const { input, output } of seen) sketch.add(input, output, memory);
  return sketch;
}

describe('the minutes of a stream', () => {
  it('are to a watch what the sketches that a device would send are', () => {
    const bets = DriftBets.on(sketchOf(images(1, 400)));
    const decks = decksOf(bets, images(2, 200));
    const [quick, plain] = [new DriftWatch(bets, 100), new DriftWatch(bets, 100)];
    const [stream, same] = [3, 3].map((seed) => new DeviceStream(bets, seededRandom(seed)));
    const memory = new StreamMemory();
    for (let minute = 0; minute < 40; minute += 1) {
      const shares = classShares(CLASSES, minute < 30 ? -1 : 1, 3);
      const { sketch, counted } = stream!.minute(decks, shares);
      const seen = Array.from({ length: WINDOW_ITEMS }, () => same!.next(decks, shares)!);
      const verdict = quick.takeCounted(sketch, counted, WINDOW_DAYS);
      expect(verdict).toEqual(plain.take(sketchOf(seen, memory), WINDOW_DAYS));
    }
    expect(quick.state()).toBe(plain.state());
  });
});
