import { sha256 } from '@espalier/delivery';
import { LIMITS } from '@espalier/protocol';
import fc from 'fast-check';
import { World, type Fate } from './world.js';

const GOOD_AFTER_MS = 120_000;
const END_MS = 400_000;
const fates = fc.constantFrom<Fate>('arrives', 'arrives', 'lost', 'twice', 'late', 'corrupt');
const links = fc.array(fates, { minLength: 1, maxLength: 60 });

const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + seed * 17 + (at >> 4)) % 251);

function over(link: readonly Fate[]): World {
  let step = 0;
  const world: World = new World(() =>
    world.now > GOOD_AFTER_MS ? 'arrives' : (link[step++ % link.length] ?? 'arrives'),
  );
  world.device.connected();
  return world;
}

/** A target that was lost is given again at the next connection, which a bad link brings in the end. */
function untilSettled(world: World, generation: number): void {
  const isSettled = (): boolean => world.settled(generation) !== undefined;
  world.run(GOOD_AFTER_MS + 1000, isSettled);
  if (!isSettled()) world.reconnect();
  world.run(END_MS, isSettled);
}

describe('an install over a bad link', () => {
  it('ends with the whole, right artifact, whatever is lost, repeated, late or corrupt', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1500 }),
        links,
        fc.array(fc.integer({ min: 0, max: 8000 }), { maxLength: 4 }),
        fc.boolean(),
        (length, link, breaks, restarts) => {
          const world = over(link);
          const artifact = bytesOf(length, 1);
          world.target(1, artifact);
          for (const at of [...breaks].sort((a, b) => a - b)) {
            world.run(at);
            if (restarts) world.restart();
            else world.reconnect();
          }
          untilSettled(world, 1);
          expect(world.settled(1)).toMatchObject({
            state: 'active',
            loadedSha256: sha256(artifact),
          });
          expect(world.mostUnderWay).toBeLessThan(4 * LIMITS.chunksPerNeed);
        },
      ),
      { numRuns: 40, seed: 6 },
    );
  });

  it('does not become active once it was withdrawn, and the next target goes ahead', () => {
    fc.assert(
      fc.property(links, fc.integer({ min: 0, max: 3000 }), (link, haltAt) => {
        const world = over(link);
        const [first, second] = [bytesOf(900, 2), bytesOf(700, 3)];
        world.target(1, first);
        world.run(haltAt);
        world.withdraw();
        const { install } = world.device.stored;
        world.restart();
        world.run(world.now + 20_000);
        if (install?.state !== 'active') {
          expect(world.device.stored.install?.state ?? 'none').not.toBe('active');
        }
        world.target(2, second);
        untilSettled(world, 2);
        expect(world.settled(2)).toMatchObject({ state: 'active', loadedSha256: sha256(second) });
      }),
      { numRuns: 25, seed: 8 },
    );
  });

  it('is not fooled by a clock set back: what has expired by the latest time seen is refused', () => {
    const world = over(['arrives']);
    world.target(1, bytesOf(100, 4));
    untilSettled(world, 1);
    world.clockSkewMs = -10 * 365 * 86_400_000;
    world.restart();
    world.target(2, bytesOf(100, 5), new Date(world.wall - 86_400_000).toISOString());
    untilSettled(world, 2);
    expect(world.settled(2)).toMatchObject({
      state: 'refused',
      failure: { code: 'TRUST_EXPIRED' },
      running: { variantId: 'v1' },
    });
    world.target(3, bytesOf(100, 6));
    untilSettled(world, 3);
    expect(world.settled(3)).toMatchObject({ state: 'active' });
  });
});
