import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

const SIZES = [
  { width: 1280, height: 900, tallest: 3000 },
  { width: 390, height: 844, tallest: 2200 },
] as const;
const SETTLE_MS = 900;

/** Takes pictures of the page as it stands, wide and narrow, light and dark, into a folder. */
export async function takePictures(page: Page, folder: string, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  // What was clicked last is not shown as pointed at.
  await page.mouse.move(0, 0);
  for (const { tallest, ...size } of SIZES) {
    await page.setViewportSize(size);
    // The frame is fixed to the window, so the window is made as high as the page.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({
      ...size,
      // A page that is longer is shown from its top.
      height: Math.min(tallest, Math.max(size.height, height)),
    });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      // A chart is drawn anew and fades in; nothing on the page tells when that is over.
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      await page.screenshot({
        path: join(folder, `${name}-${size.width}-${colorScheme}.png`),
      });
    }
  }
  const [{ width, height }] = SIZES;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: 'light' });
}
