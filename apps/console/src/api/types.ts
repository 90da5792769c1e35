import type { paths } from '../generated/api';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Answered<O> = O extends { responses: infer R }
  ? {
      [S in keyof R]: S extends 200 | 201 | 202
        ? R[S] extends { content: { 'application/json': infer B } }
          ? B
          : never
        : never;
    }[keyof R]
  : never;
/** Body that a path answers with. */
type Body<P extends keyof paths, M extends Method = 'get'> = M extends keyof paths[P]
  ? Answered<paths[P][M]>
  : never;
/** Body that a path asks for. */
type Asked<P extends keyof paths, M extends Method> = M extends keyof paths[P]
  ? paths[P][M] extends { requestBody: { content: { 'application/json': infer B } } }
    ? B
    : never
  : never;
type Item<T> = T extends readonly (infer I)[] ? I : never;

export type Device = Body<'/api/v1/devices/{id}'>;
export type DeviceState = Device['state'];
export type Budget = Device['budget'];
export type FleetSummary = Body<'/api/v1/fleet/summary'>;
export type DeviceBudget = Body<'/api/v1/devices/{id}/budget'>;
export type Profile = Item<Body<'/api/v1/devices/{id}/profiles'>['profiles']>;
export type TargetOfDevice = Item<Body<'/api/v1/devices/{id}/targets'>['targets']>;
export type Choice = NonNullable<Body<'/api/v1/devices/{id}/choice'>['choice']>;
export type TelemetryWindow = Item<Body<'/api/v1/devices/{id}/telemetry'>['windows']>;
export type SeriesView = Body<'/api/v1/telemetry/series'>;
export type Series = Item<SeriesView['series']>;
export type SeriesQuery = NonNullable<
  paths['/api/v1/telemetry/series']['get']['parameters']['query']
>;

export type DriftView = Body<'/api/v1/telemetry/drift'>;
export type VariantDrift = Item<DriftView['variants']>;
export type DriftQuery = NonNullable<
  paths['/api/v1/telemetry/drift']['get']['parameters']['query']
>;
export type AgreementFigures = Item<Body<'/api/v1/telemetry/agreement'>['series']>['total'];
export type AgreementQuery = NonNullable<
  paths['/api/v1/telemetry/agreement']['get']['parameters']['query']
>;

export type Model = Body<'/api/v1/models/{id}'>;
export type Candidate = Item<Body<'/api/v1/models/{id}/candidates'>['candidates']>;
export type Report = Candidate['report'];
export type Job = Body<'/api/v1/jobs/{id}'>;

export type Release = Body<'/api/v1/releases/{id}'>;
export type PlanPreview = Body<'/api/v1/plans/preview', 'post'>;
export type PreviewedAssignment = Item<PlanPreview['assignments']>;

export type RolloutSummary = Item<Body<'/api/v1/rollouts'>['rollouts']>;
export type Rollout = Body<'/api/v1/rollouts/{id}'>;
export type RolloutStatus = Rollout['status'];
export type RolloutRequest = Asked<'/api/v1/rollouts', 'post'>;
export type RolloutPreview = Body<'/api/v1/rollouts/preview', 'post'>;
export type Decision = Item<Body<'/api/v1/rollouts/{id}/decisions'>['decisions']>;

export type AuditEntry = Item<Body<'/api/v1/audit'>['entries']>;

export type Alert = Item<Body<'/api/v1/alerts'>['alerts']>;
export type AlertRule = Item<Body<'/api/v1/alert-rules'>['rules']>;

/** What the server says of an uploaded model, as far as the console shows it. */
export interface Inspection {
  readonly params: number;
  readonly macs: number;
  readonly peakRamBytes: number;
  readonly operators: Readonly<Record<string, number>>;
  readonly groups: readonly {
    readonly name: string;
    readonly channels: number;
    readonly prunable: number;
    readonly locked: readonly { readonly reason: string; readonly channels: number }[];
  }[];
}
