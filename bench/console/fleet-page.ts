import type { Browser, BrowserContext, Page } from 'playwright-core';

const WAIT_MS = 60_000;
const WHEEL_PX = 60;
const FRAME_MS = 1000 / 60;
const LONG_FRAME_MS = 50;
const SIZE = { width: 1280, height: 900 } as const;

/** Milliseconds from the start of the navigation. */
export interface Load {
  readonly firstPaintMs: number;
  readonly firstRowsMs: number;
}

/** How a list was scrolled. */
export interface Scroll {
  readonly frames: number;
  /** Frames that took longer than 50 ms. */
  readonly longFrames: number;
  readonly longestFrameMs: number;
  /** Frames of 60 in a second that did not come, of those that were due. */
  readonly droppedShare: number;
  /** Share of frames in which a row in sight had no device yet. */
  readonly waitingShare: number;
  readonly rowsPassed: number;
}

/** Runs in the page, before its own scripts: notes when the first row with a device is on the screen. */
const NOTE_FIRST_ROWS = `
  globalThis.firstRows = new Promise((resolve) => {
    const look = () => {
      if (!document.querySelector('.device-row.placed a')) return;
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    };
    const watcher = new MutationObserver(look);
    watcher.observe(document, { childList: true, subtree: true });
  });`;

/** Runs in the page: notes every frame until it is told to stop. */
const NOTE_FRAMES = `
  globalThis.noted = { frames: [], waiting: 0, stop: false };
  {
    const scroller = document.querySelector('.device-scroller');
    let before = performance.now();
    const next = (now) => {
      if (noted.stop) return;
      noted.frames.push(now - before);
      before = now;
      const { top, bottom } = scroller.getBoundingClientRect();
      const rows = [...scroller.querySelectorAll('.device-row.placed')].filter((row) => {
        const box = row.getBoundingClientRect();
        return box.bottom > top && box.top < bottom;
      });
      if (rows.length === 0 || rows.some((row) => !row.querySelector('a'))) noted.waiting += 1;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }`;

/** The fleet page of a server, in Chromium, for one who is signed in. */
export class FleetPage {
  private constructor(
    private readonly browser: Browser,
    private readonly url: string,
    private readonly state: Awaited<ReturnType<BrowserContext['storageState']>>,
  ) {}

  static async signIn(browser: Browser, url: string, password: string): Promise<FleetPage> {
    const context = await browser.newContext({ viewport: SIZE });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    await page.goto(url);
    await page.getByLabel('Name').fill('admin');
    await page.getByRole('textbox', { name: 'Password' }).fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    const state = await context.storageState();
    await context.close();
    return new FleetPage(browser, url, state);
  }

  /** Opens the page with an empty cache, and does something with it. */
  private async open<T>(use: (page: Page) => Promise<T>): Promise<T> {
    const context = await this.browser.newContext({ viewport: SIZE, storageState: this.state });
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(WAIT_MS);
      await page.addInitScript(NOTE_FIRST_ROWS);
      await page.goto(`${this.url}/fleet`);
      return await use(page);
    } finally {
      await context.close();
    }
  }

  /** How long it takes until something is painted, and until devices are. */
  load(): Promise<Load> {
    return this.open(async (page) => {
      const firstRowsMs = await page.evaluate<number>('firstRows');
      const firstPaintMs = await page.evaluate<number>(
        `performance.getEntriesByName('first-contentful-paint')[0].startTime`,
      );
      return { firstPaintMs, firstRowsMs };
    });
  }

  /**
   * Scrolls the list by the wheel, down and at its end up again.
   * @param slowdown by how much the page's processor is made slower, as on a weak machine
   */
  scroll(ms: number, slowdown: number): Promise<Scroll> {
    return this.open(async (page) => {
      await page.evaluate('firstRows');
      const session = await page.context().newCDPSession(page);
      await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
      const scroller = page.locator('.device-scroller');
      await scroller.hover();
      const position = (): Promise<{ top: number; most: number }> =>
        scroller.evaluate(
          (element) =>
            ({
              top: (element as unknown as Scrolled).scrollTop,
              most:
                (element as unknown as Scrolled).scrollHeight -
                (element as unknown as Scrolled).clientHeight,
            }) as const,
        );
      await page.evaluate(NOTE_FRAMES);
      const until = performance.now() + ms;
      let direction = 1;
      let passed = 0;
      let before = (await position()).top;
      while (performance.now() < until) {
        const due = performance.now() + FRAME_MS;
        await page.mouse.wheel(0, direction * WHEEL_PX);
        const { top, most } = await position();
        passed += Math.abs(top - before);
        before = top;
        if (top >= most - 1) direction = -1;
        if (top <= 0) direction = 1;
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      }
      const noted = await page.evaluate<{ frames: number[]; waiting: number }>(
        'noted.stop = true, noted',
      );
      // Of all at once: a row that was found a moment ago may be taken out of the page by now.
      const height = await page
        .locator('.device-row.placed')
        .evaluateAll((rows) =>
          Math.max(...rows.map((row) => (row as unknown as Scrolled).clientHeight)),
        );
      return scrollOf(noted.frames, noted.waiting, passed / height);
    });
  }
}

/** What is read of an element; the types of the browser are not at hand here. */
interface Scrolled {
  readonly scrollTop: number;
  readonly scrollHeight: number;
  readonly clientHeight: number;
}

function scrollOf(frames: readonly number[], waiting: number, rowsPassed: number): Scroll {
  const total = frames.reduce((sum, frame) => sum + frame, 0);
  const due = Math.max(1, Math.round(total / FRAME_MS));
  return {
    frames: frames.length,
    longFrames: frames.filter((frame) => frame > LONG_FRAME_MS).length,
    longestFrameMs: Math.max(0, ...frames),
    droppedShare: Math.max(0, 1 - frames.length / due),
    waitingShare: frames.length === 0 ? 0 : waiting / frames.length,
    rowsPassed: Math.round(rowsPassed),
  };
}
