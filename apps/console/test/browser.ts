import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from './chromium.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SERIOUS = ['serious', 'critical'];

/** A violation of accessibility rules, as axe tells it. */
export interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Chromium with one page, which keeps what went wrong in it. */
export class ConsoleBrowser {
  /** Errors on the page's console, and exceptions that nothing caught. */
  readonly errors: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
  ) {
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.errors.push(`${page.url()}: ${error.message}`));
  }

  /** @throws when Chromium is not there; `CHROMIUM` names another one */
  static async open(waitMs: number): Promise<ConsoleBrowser> {
    const browser = await launchChromium();
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(waitMs);
    return new ConsoleBrowser(browser, page);
  }

  /** Violations of the page as it stands that are serious or worse, in the light and in the dark. */
  async violations(): Promise<Violation[]> {
    const found: Violation[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await this.page.emulateMedia({ colorScheme });
      // Evaluated, not added as a script: the page's policy allows none but its own.
      await this.page.evaluate(AXE);
      found.push(
        ...(await this.page.evaluate(async () => {
          const { axe } = window as unknown as {
            axe: { run(): Promise<{ violations: Violation[] }> };
          };
          return (await axe.run()).violations;
        })),
      );
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
    return found.filter(({ impact }) => impact !== null && SERIOUS.includes(impact));
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}
