import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, taken } from './client';
import type { AgreementQuery, AuditEntry, DeviceState, DriftQuery, SeriesQuery } from './types';

/** Asked again this often where no event tells of a change. */
const SLOWLY_MS = 15_000;

/** Which devices a list is about. */
export interface FleetFilter {
  readonly selector: string;
  readonly search: string;
  readonly state: DeviceState | null;
  readonly quarantined: boolean;
}

export const PAGE_OF_DEVICES = 100;

/** Every question that the console asks. The first word of a key is what a live event renews. */
export const queries = {
  fleetSummary: () =>
    queryOptions({
      queryKey: ['devices', 'summary'],
      queryFn: () => taken(api.GET('/api/v1/fleet/summary')),
      refetchInterval: SLOWLY_MS,
    }),
  devices: (filter: FleetFilter, page: number) =>
    queryOptions({
      queryKey: ['devices', 'page', filter, page],
      queryFn: () =>
        taken(
          api.GET('/api/v1/devices', {
            params: {
              query: {
                selector: filter.selector,
                search: filter.search,
                ...(filter.state ? { state: filter.state } : {}),
                ...(filter.quarantined ? { quarantined: 'true' } : {}),
                offset: page * PAGE_OF_DEVICES,
                limit: PAGE_OF_DEVICES,
              },
            },
          }),
        ),
      placeholderData: keepPreviousData,
    }),
  device: (id: string) =>
    queryOptions({
      queryKey: ['devices', id],
      queryFn: () => taken(api.GET('/api/v1/devices/{id}', at(id))),
      refetchInterval: SLOWLY_MS,
    }),
  deviceBudget: (id: string) =>
    queryOptions({
      queryKey: ['devices', id, 'budget'],
      queryFn: () => taken(api.GET('/api/v1/devices/{id}/budget', at(id))),
    }),
  profiles: (id: string) =>
    queryOptions({
      queryKey: ['devices', id, 'profiles'],
      queryFn: () => taken(api.GET('/api/v1/devices/{id}/profiles', at(id))),
      refetchInterval: SLOWLY_MS,
    }),
  targets: (id: string) =>
    queryOptions({
      queryKey: ['devices', id, 'targets'],
      queryFn: () => taken(api.GET('/api/v1/devices/{id}/targets', at(id))),
    }),
  choice: (id: string) =>
    queryOptions({
      queryKey: ['devices', id, 'choice'],
      queryFn: () => taken(api.GET('/api/v1/devices/{id}/choice', at(id))),
    }),
  telemetry: (id: string) =>
    queryOptions({
      queryKey: ['telemetry', id],
      queryFn: () =>
        taken(
          api.GET('/api/v1/devices/{id}/telemetry', {
            params: { path: { id }, query: { limit: 200 } },
          }),
        ),
      refetchInterval: 5_000,
    }),
  deviceSeries: (id: string, seconds: number) =>
    queryOptions({
      queryKey: ['telemetry', id, seconds],
      queryFn: () =>
        taken(
          api.GET('/api/v1/devices/{id}/telemetry/series', {
            params: { path: { id }, query: { from: before(seconds) } },
          }),
        ),
      refetchInterval: SLOWLY_MS,
    }),
  series: (query: SeriesQuery, seconds: number) =>
    queryOptions({
      queryKey: ['telemetry', 'series', query, seconds],
      queryFn: () =>
        taken(
          api.GET('/api/v1/telemetry/series', {
            params: { query: { ...query, from: before(seconds) } },
          }),
        ),
      placeholderData: keepPreviousData,
      refetchInterval: 5_000,
    }),
  drift: (query: DriftQuery) =>
    queryOptions({
      queryKey: ['telemetry', 'drift', query],
      queryFn: () => taken(api.GET('/api/v1/telemetry/drift', { params: { query } })),
      refetchInterval: SLOWLY_MS,
    }),
  budgets: () =>
    queryOptions({
      queryKey: ['budgets'],
      queryFn: () => taken(api.GET('/api/v1/budgets')),
    }),
  models: () =>
    queryOptions({ queryKey: ['models'], queryFn: () => taken(api.GET('/api/v1/models')) }),
  model: (id: string) =>
    queryOptions({
      queryKey: ['models', id],
      queryFn: () => taken(api.GET('/api/v1/models/{id}', at(id))),
    }),
  shadow: (id: string) =>
    queryOptions({
      queryKey: ['shadow', id],
      queryFn: () => taken(api.GET('/api/v1/models/{id}/shadow', at(id))),
      refetchInterval: SLOWLY_MS,
    }),
  agreement: (query: AgreementQuery) =>
    queryOptions({
      queryKey: ['shadow', 'agreement', query],
      queryFn: () => taken(api.GET('/api/v1/telemetry/agreement', { params: { query } })),
      refetchInterval: SLOWLY_MS,
    }),
  candidates: (id: string) =>
    queryOptions({
      queryKey: ['jobs', 'candidates', id],
      queryFn: () => taken(api.GET('/api/v1/models/{id}/candidates', at(id))),
    }),
  jobs: (modelId: string) =>
    queryOptions({
      queryKey: ['jobs', 'of', modelId],
      queryFn: () => taken(api.GET('/api/v1/models/{id}/jobs', at(modelId))),
      refetchInterval: SLOWLY_MS,
    }),
  releases: () =>
    queryOptions({ queryKey: ['releases'], queryFn: () => taken(api.GET('/api/v1/releases')) }),
  release: (id: string) =>
    queryOptions({
      queryKey: ['releases', id],
      queryFn: () => taken(api.GET('/api/v1/releases/{id}', at(id))),
    }),
  planPreview: (modelId: string, selector: string) =>
    queryOptions({
      queryKey: ['plan', modelId, selector],
      queryFn: () => taken(api.POST('/api/v1/plans/preview', { body: { modelId, selector } })),
    }),
  alerts: () =>
    queryOptions({
      queryKey: ['alerts', 'raised'],
      queryFn: () => taken(api.GET('/api/v1/alerts')),
      refetchInterval: SLOWLY_MS,
    }),
  alertRules: () =>
    queryOptions({
      queryKey: ['alerts', 'rules'],
      queryFn: () => taken(api.GET('/api/v1/alert-rules')),
    }),
  rollouts: () =>
    queryOptions({
      queryKey: ['rollouts'],
      queryFn: () => taken(api.GET('/api/v1/rollouts')),
      refetchInterval: SLOWLY_MS,
    }),
  rollout: (id: string) =>
    queryOptions({
      queryKey: ['rollouts', id],
      queryFn: () => taken(api.GET('/api/v1/rollouts/{id}', at(id))),
      // Gates follow telemetry, which no event tells of.
      refetchInterval: 3_000,
    }),
  decisions: (id: string) =>
    queryOptions({
      queryKey: ['rollouts', id, 'decisions'],
      queryFn: () => taken(api.GET('/api/v1/rollouts/{id}/decisions', at(id))),
    }),
};

/** The audit log, the newest first, page by page. */
export const auditQuery = (actor: string, outcome: AuditEntry['outcome'] | null) =>
  infiniteQueryOptions({
    queryKey: ['audit', actor, outcome],
    initialPageParam: null as number | null,
    queryFn: ({ pageParam }) =>
      taken(
        api.GET('/api/v1/audit', {
          params: {
            query: {
              ...(actor ? { actor } : {}),
              ...(outcome ? { outcome } : {}),
              ...(pageParam === null ? {} : { cursor: pageParam }),
            },
          },
        }),
      ),
    getNextPageParam: ({ next }) => next,
  });

const at = (id: string) => ({ params: { path: { id } } });

const before = (seconds: number): string => new Date(Date.now() - 1000 * seconds).toISOString();
