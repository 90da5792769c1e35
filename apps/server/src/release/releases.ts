import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Injectable, Logger } from '@nestjs/common';
import { LIMITS, releaseSchema, signedSchema, type Signed } from '@espalier/protocol';
import { notFound, ServerError } from '../errors.js';
import type { Release } from '../generated/prisma/client.js';
import { BlobStore } from '../models/blob-store.js';
import { Library } from '../models/library.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { Plans } from '../tuning/plans.js';
import { Keyring } from './keyring.js';
import { releaseOf, variantOf } from './release-document.js';
import type { ReleaseView } from './schemas.js';

const LISTED = 200;
/** Room in a target message for everything but release and manifest: mostly former roots. */
const MESSAGE_OVERHEAD = 48 * 1024;

/** Releases: closed sets of variants, made from a plan, signed once. */
@Injectable()
export class Releases {
  private readonly logger = new Logger('releases');

  constructor(
    private readonly database: Database,
    private readonly library: Library,
    private readonly plans: Plans,
    private readonly blobs: BlobStore,
    private readonly keyring: Keyring,
  ) {}

  /**
   * Makes a release of the distinct candidates of a plan; in demo mode it is signed at once.
   * @throws ServerError NOT_FOUND, RELEASE_MISMATCH, PLAN_EMPTY
   */
  async create(modelId: string, planId: string): Promise<ReleaseView> {
    const model = await this.library.get(modelId);
    const plan = await this.plans.get(planId);
    if (plan.modelId !== modelId) {
      throw new ServerError(
        'RELEASE_MISMATCH',
        409,
        `Plan ${planId} is for model ${plan.modelId}.`,
      );
    }
    const wanted = new Set(plan.assignments.map(({ candidateId }) => candidateId));
    const candidates = (await this.library.candidates(modelId)).filter(({ id }) => wanted.has(id));
    const variants: ReturnType<typeof variantOf>[] = [];
    for (const candidate of candidates) {
      const artifact = await this.blobs.read(candidate.artifact.sha256);
      variants.push(variantOf(candidate, artifact, model.card));
    }
    const id = `rel-${randomBytes(6).toString('hex')}`;
    const now = new Date();
    const row = await this.database.write(async (transaction) => {
      // From here on the release keeps the model; before, somebody may have removed it.
      if ((await transaction.model.count({ where: { id: modelId } })) === 0) {
        throw notFound(`model ${modelId}`);
      }
      const last = await transaction.release.findFirst({
        where: { modelName: model.name },
        orderBy: { version: 'desc' },
        select: { version: true },
      });
      const version = (last?.version ?? 0) + 1;
      const document = releaseOf(
        id,
        model.name,
        version,
        variants.map(({ variant }) => variant),
        now.getTime(),
      );
      const signed = this.keyring.signRelease(document);
      const manifests = Object.fromEntries(
        variants.map(({ variant, manifest }) => [variant.id, manifest]),
      );
      refuseTooLarge(document, manifests);
      return transaction.release.create({
        data: {
          id,
          modelId,
          planId,
          modelName: model.name,
          version,
          state: signed ? 'signed' : 'unsigned',
          document: toJson(document),
          ...(signed ? { signed: toJson(signed) } : {}),
          manifests: toJson(manifests),
          createdAt: now,
        },
      });
    });
    if (row.state === 'signed') {
      this.logger.warn({
        msg: 'release signed by the server itself (ESPALIER_SELF_SIGN=1): for demonstrations only',
        releaseId: id,
      });
    }
    return viewOf(row);
  }

  /**
   * Adds the signature that was made offline.
   * @throws ServerError NOT_FOUND, RELEASE_SIGNED, RELEASE_MISMATCH; TrustError
   */
  async sign(id: string, signed: Signed): Promise<ReleaseView> {
    const row = await this.row(id);
    if (row.signed !== null) {
      throw new ServerError('RELEASE_SIGNED', 409, `Release ${id} is signed already.`);
    }
    const document = this.keyring.verifyRelease(signed);
    if (!isDeepStrictEqual(document, fromJson(releaseSchema, row.document))) {
      throw new ServerError(
        'RELEASE_MISMATCH',
        409,
        `What was signed is not the document of release ${id}.`,
      );
    }
    const { count } = await this.database.write((transaction) =>
      transaction.release.updateMany({
        where: { id, state: 'unsigned' },
        data: { state: 'signed', signed: toJson(signed) },
      }),
    );
    if (count === 0)
      throw new ServerError('RELEASE_SIGNED', 409, `Release ${id} is signed already.`);
    return this.get(id);
  }

  async list(): Promise<{ releases: ReleaseView[] }> {
    const rows = await this.database.read.release.findMany({
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      take: LISTED,
    });
    return { releases: rows.map(viewOf) };
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<ReleaseView> {
    return viewOf(await this.row(id));
  }

  private async row(id: string): Promise<Release> {
    const row = await this.database.read.release.findUnique({ where: { id } });
    if (!row) throw notFound(`release ${id}`);
    return row;
  }
}

/** A target carries the release and one manifest; what would not fit is refused before it is made. */
function refuseTooLarge(document: object, manifests: Readonly<Record<string, object>>): void {
  const size = (value: object): number => Buffer.byteLength(JSON.stringify(value));
  const release = Math.ceil((size(document) * 4) / 3);
  for (const [variantId, manifest] of Object.entries(manifests)) {
    const bytes = release + size(manifest) + MESSAGE_OVERHEAD;
    if (bytes > LIMITS.controlMessageBytes) {
      throw new ServerError(
        'RELEASE_MISMATCH',
        422,
        `The target of variant ${variantId} would have ${bytes} bytes, over the ${LIMITS.controlMessageBytes} of a message.`,
      );
    }
  }
}

function viewOf(row: Release): ReleaseView {
  return {
    id: row.id,
    modelId: row.modelId,
    planId: row.planId,
    state: row.signed === null ? 'unsigned' : 'signed',
    document: fromJson(releaseSchema, row.document),
    signed: fromJson(signedSchema.nullable(), row.signed),
    createdAt: row.createdAt.toISOString(),
  };
}
