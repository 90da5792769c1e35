import { jest } from '@jest/globals';
import { Greeting } from './greeting.js';

describe('a greeting', () => {
  let said: string[];
  let greeting: Greeting;

  beforeEach(() => {
    jest.useFakeTimers();
    said = [];
    greeting = new Greeting(
      () => {
        said.push(`hello-${said.length}`);
        return said.at(-1)!;
      },
      () => 0.5,
    );
  });
  afterEach(() => jest.useRealTimers());

  it('is said again, ever more rarely, until the server has acknowledged it', () => {
    greeting.start();
    jest.advanceTimersByTime(16_000);
    expect(said).toHaveLength(3);
    greeting.acknowledged('hello-1');
    jest.advanceTimersByTime(600_000);
    expect(said).toHaveLength(3);
  });

  it('is not taken for heard where the server acknowledges something else', () => {
    greeting.start();
    greeting.acknowledged('a report');
    jest.advanceTimersByTime(6000);
    expect(said).toHaveLength(2);
  });

  it('is said at once on the next connection, whatever the last one was told', () => {
    greeting.start();
    greeting.acknowledged('hello-0');
    greeting.stop();
    greeting.start();
    greeting.acknowledged('hello-0');
    jest.advanceTimersByTime(6000);
    expect(said).toHaveLength(3);
  });

  it('is said once more in a while where something could not be taken', () => {
    greeting.start();
    greeting.acknowledged('hello-0');
    greeting.later();
    jest.advanceTimersByTime(6000);
    expect(said).toHaveLength(2);
  });
});
