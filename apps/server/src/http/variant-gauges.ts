import { Gauge, type Registry } from 'prom-client';

/** Variants told apart; those beyond are left out. */
export const MOST_VARIANTS = 100;
/** Gauges that are asked for within this share a reading. */
const SCRAPE_MS = 1_000;

/** What a gauge is told apart by. */
export interface VariantName {
  readonly model: string;
  readonly variant: string;
}

/** Gauges by model and variant, of one reading of the database however many of them a scrape asks for. */
export class VariantGauges<Variant extends VariantName> {
  private reading: { readonly at: number; readonly variants: Promise<readonly Variant[]> } | null =
    null;

  /** @param read the variants, those first that are to be shown where there are too many */
  constructor(
    private readonly registry: Registry,
    private readonly read: () => Promise<readonly Variant[]>,
  ) {}

  /** @param valueOf null: the variant has no such figure */
  add(name: string, help: string, valueOf: (variant: Variant) => number | null): void {
    const gauge: Gauge = new Gauge({
      ...{ name, help, labelNames: ['model', 'variant'], registers: [this.registry] },
      collect: async () => {
        const variants = await this.lately();
        gauge.reset();
        for (const one of variants.slice(0, MOST_VARIANTS)) {
          const value = valueOf(one);
          if (value !== null) gauge.set({ model: one.model, variant: one.variant }, value);
        }
      },
    });
  }

  private lately(): Promise<readonly Variant[]> {
    const now = performance.now();
    if (!this.reading || now - this.reading.at >= SCRAPE_MS) {
      this.reading = { at: now, variants: this.read() };
    }
    return this.reading.variants;
  }
}
