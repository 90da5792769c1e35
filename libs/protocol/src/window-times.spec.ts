import { windowTimes } from './window-times.js';

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 25) + seconds * 1000);
const window = (from: number, to: number, durationMs?: number) => ({
  from: at(from).toISOString(),
  to: at(to).toISOString(),
  ...(durationMs === undefined ? {} : { durationMs }),
});

describe('the time of a telemetry window', () => {
  it('is the device’s own when its clock is right', () => {
    const envelope = { sentAt: at(60).toISOString() };
    expect(windowTimes(envelope, window(0, 60, 60_000), at(60))).toEqual({
      from: at(0),
      to: at(60),
    });
  });

  it('is right though the device believes in another year', () => {
    const decade = 10 * 365 * 86_400;
    const envelope = { sentAt: at(60 - decade).toISOString() };
    const times = windowTimes(envelope, window(-decade, 60 - decade, 60_000), at(60));
    expect(times).toEqual({ from: at(0), to: at(60) });
  });

  it('is when it was measured, however long the device was offline and its clock was wrong', () => {
    const envelope = { sentAt: at(1060).toISOString(), heldMs: 7_200_000 };
    const times = windowTimes(envelope, window(1000, 1060), at(7260));
    expect(times).toEqual({ from: at(0), to: at(60) });
  });

  it('is not stretched by a clock that was set within the window', () => {
    const envelope = { sentAt: at(9000).toISOString() };
    const times = windowTimes(envelope, window(0, 9000, 60_000), at(60));
    expect(times).toEqual({ from: at(0), to: at(60) });
    const back = windowTimes({ sentAt: at(-500).toISOString() }, window(0, -500), at(60));
    expect(back).toEqual({ from: at(60), to: at(60) });
  });

  it('counts what lies between the end of the window and the making of the message', () => {
    const times = windowTimes({ sentAt: at(100).toISOString() }, window(0, 60), at(130));
    expect(times).toEqual({ from: at(30), to: at(90) });
  });
});
