import { Injectable } from '@nestjs/common';
import {
  samplingSchema,
  selects,
  type Sampling,
  type Selector,
  type ShadowPolicyView,
} from '@espalier/protocol';
import { parseSelector } from '../fleet/selector.js';
import { Library } from '../models/library.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import type { ShadowRequest } from './schemas.js';

interface Policy {
  readonly selector: string;
  readonly terms: Selector;
  readonly sampling: Sampling;
  readonly setAt: Date;
}

/** For which models which devices are asked for shadow samples: for none, unless somebody says so. */
@Injectable()
export class ShadowPolicies {
  private known: Promise<ReadonlyMap<string, Policy>> | null = null;

  constructor(
    private readonly database: Database,
    private readonly library: Library,
  ) {}

  /** @throws ServerError NOT_FOUND, REQUEST_INVALID */
  async set(modelId: string, { selector, ...given }: ShadowRequest): Promise<ShadowPolicyView> {
    await this.library.get(modelId);
    parseSelector(selector);
    const sampling = toJson(samplingSchema.parse(given));
    const data = { selector, sampling, setAt: new Date() };
    await this.database.write((transaction) =>
      transaction.shadowPolicy.upsert({
        where: { modelId },
        create: { modelId, ...data },
        update: data,
      }),
    );
    this.known = null;
    return this.view(modelId);
  }

  /** @throws ServerError NOT_FOUND */
  async end(modelId: string): Promise<void> {
    await this.library.get(modelId);
    await this.database.write((transaction) =>
      transaction.shadowPolicy.deleteMany({ where: { modelId } }),
    );
    this.known = null;
  }

  /** @throws ServerError NOT_FOUND */
  async view(modelId: string): Promise<ShadowPolicyView> {
    await this.library.get(modelId);
    const policy = (await this.all()).get(modelId);
    const waiting = await this.database.read.shadowSample.count({
      where: { modelId, state: 'waiting' },
    });
    return {
      modelId,
      policy: policy
        ? {
            selector: policy.selector,
            sampling: policy.sampling,
            setAt: policy.setAt.toISOString(),
          }
        : null,
      waiting,
    };
  }

  /** Whether any model has a policy. */
  async any(): Promise<boolean> {
    return (await this.all()).size > 0;
  }

  /** What a device with these labels is asked for of a model; null: nothing. */
  async samplingOf(
    modelId: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<Sampling | null> {
    const policy = (await this.all()).get(modelId);
    return policy && selects(policy.terms, labels) ? policy.sampling : null;
  }

  /** Read once: only this server writes them. */
  private all(): Promise<ReadonlyMap<string, Policy>> {
    this.known ??= this.read();
    this.known.catch(() => (this.known = null));
    return this.known;
  }

  private async read(): Promise<ReadonlyMap<string, Policy>> {
    const rows = await this.database.read.shadowPolicy.findMany();
    return new Map(
      rows.map(({ modelId, selector, sampling, setAt }) => [
        modelId,
        {
          ...{ selector, setAt, terms: parseSelector(selector) },
          sampling: fromJson(samplingSchema, sampling),
        },
      ]),
    );
  }
}
