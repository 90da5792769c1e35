import {
  deviceViewSchema,
  instantSchema,
  profileSchema,
  sha256Schema,
  telemetrySchema,
  type Budget,
  type DeviceView,
  type Profile,
  type Telemetry,
} from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const pageSchema = z.object({ devices: z.array(deviceViewSchema), next: z.string().nullable() });
const tokenSchema = z.object({ token: z.string(), expires: instantSchema });
const profilesSchema = z.object({
  profiles: z.array(
    z.object({ sha256: sha256Schema, receivedAt: instantSchema, profile: profileSchema }),
  ),
});
const telemetryPageSchema = z.object({ windows: z.array(telemetrySchema) });
const revokedSchema = z.object({ id: z.string(), revokedAt: instantSchema });
const askedSchema = z.object({ asked: z.literal(true) });

const PAGE = 1000;

/** Devices that a selector and a state leave, at most `limit`. */
export async function listDevices(
  api: ApiClient,
  query: { selector?: string | undefined; state?: string | undefined; limit: number },
): Promise<DeviceView[]> {
  const devices: DeviceView[] = [];
  let cursor: string | null = null;
  do {
    const parameters = new URLSearchParams({
      limit: String(Math.min(PAGE, query.limit - devices.length)),
      ...(query.selector === undefined ? {} : { selector: query.selector }),
      ...(query.state === undefined ? {} : { state: query.state }),
      ...(cursor === null ? {} : { cursor }),
    });
    const page: z.infer<typeof pageSchema> = await api.get(`/devices?${parameters}`, pageSchema);
    devices.push(...page.devices);
    cursor = page.next;
  } while (cursor !== null && devices.length < query.limit);
  return devices;
}

export const getDevice = (api: ApiClient, id: string): Promise<DeviceView> =>
  api.get(pathOf(id), deviceViewSchema);

export const patchDevice = (
  api: ApiClient,
  id: string,
  patch: { name?: string; labels?: Record<string, string>; budget?: Budget },
): Promise<DeviceView> => api.patch(pathOf(id), patch, deviceViewSchema);

export const createClaimToken = (
  api: ApiClient,
  request: { name?: string; labels?: Record<string, string>; expiresInSeconds?: number },
): Promise<z.infer<typeof tokenSchema>> => api.post('/claim-tokens', request, tokenSchema);

/** The newest profile; null: the device has not measured itself yet. */
export async function latestProfile(api: ApiClient, id: string): Promise<Profile | null> {
  const { profiles } = await api.get(`${pathOf(id)}/profiles`, profilesSchema);
  return profiles[0]?.profile ?? null;
}

/** Windows of telemetry, the newest first. */
export async function telemetryOf(api: ApiClient, id: string, limit = 100): Promise<Telemetry[]> {
  const { windows } = await api.get(`${pathOf(id)}/telemetry?limit=${limit}`, telemetryPageSchema);
  return windows;
}

export const askToMeasure = (api: ApiClient, id: string): Promise<{ asked: true }> =>
  api.post(`${pathOf(id)}/measure`, {}, askedSchema);

export const revokeDevice = (
  api: ApiClient,
  id: string,
): Promise<{ id: string; revokedAt: string }> =>
  api.post(`${pathOf(id)}/revoke`, {}, revokedSchema);

const pathOf = (id: string): string => `/devices/${encodeURIComponent(id)}`;

/** Lets rollouts take a device again that failed too often. */
export const endQuarantine = (api: ApiClient, id: string): Promise<DeviceView> =>
  api.delete(`/devices/${encodeURIComponent(id)}/quarantine`, deviceViewSchema);
