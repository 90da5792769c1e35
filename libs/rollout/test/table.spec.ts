import { checkMachine, TABLE, type DeviceStatus } from '../src/index.js';

describe('the table', () => {
  it('has no unreachable status, no dead end and no unused move', () => {
    expect(checkMachine(TABLE.rollout)).toEqual([]);
    expect(checkMachine(TABLE.device)).toEqual([]);
  });

  it('names what is wrong with a table that is not sound', () => {
    const faults = checkMachine({
      initial: 'a',
      terminal: ['d'],
      moves: ['go', 'fly'],
      transitions: { a: { go: 'b' }, b: {}, c: { go: 'd' }, d: { go: 'c' } },
    });
    expect(faults).toEqual([
      'c is unreachable',
      'd is unreachable',
      'a never ends',
      'b never ends',
      'd is terminal and has a way out',
      'b has no transition and is not terminal',
      'fly is never a move',
    ]);
  });

  it('lets no failed device become active, and no cancelled one be sent anything', () => {
    const reach = (from: DeviceStatus, without: DeviceStatus[] = []): Set<DeviceStatus> => {
      const seen = new Set<DeviceStatus>([from]);
      for (const status of seen) {
        for (const [move, to] of Object.entries(TABLE.device.transitions[status])) {
          // Another variant is another matter.
          if (move !== 'replan' && !without.includes(to)) seen.add(to);
        }
      }
      return seen;
    };
    expect(reach('failed')).not.toContain('active');
    expect([...reach('cancelled')]).toEqual(['cancelled']);
    expect(reach('reverting')).not.toContain('sent');
  });
});
