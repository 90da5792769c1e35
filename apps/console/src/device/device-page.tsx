import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Device } from '../api/types';
import { Ago } from '../parts/ago';
import { instant } from '../parts/format';
import { Labels } from '../parts/labels';
import { Page } from '../parts/page';
import { Answer } from '../parts/states';
import { DeviceStateWord } from '../parts/tone';
import { DeviceBudgetPart } from './device-budget';
import { DeviceChoice } from './device-choice';
import { DeviceHistory } from './device-history';
import { DeviceProfile } from './device-profile';
import { DeviceSigns } from './device-signs';
import { DeviceTelemetry } from './device-telemetry';
import { DeviceVariants } from './device-variants';

/** One device: what it is, what it runs and why, what it measures. */
export default function DevicePage() {
  const { id = '' } = useParams();
  const device = useQuery(queries.device(id));
  return (
    <Page
      title={device.data?.name ?? id}
      over={
        <>
          <Link to="/fleet">Fleet</Link> · {id}
        </>
      }
      actions={device.data && <Actions device={device.data} />}
    >
      <Answer query={device} what="the device">
        {(found) => <DeviceParts device={found} />}
      </Answer>
    </Page>
  );
}

function DeviceParts({ device }: { device: Device }) {
  const { id, state, labels, running, failure, quarantinedAt } = device;
  const { agentVersion, seenAt, createdAt } = device;
  return (
    <>
      <div className="line">
        <DeviceStateWord state={state} />
        <Labels labels={labels} />
        <span className="soft">
          seen {seenAt ? <Ago at={seenAt} /> : 'never'}
          {agentVersion ? `, agent ${agentVersion}` : ''}, joined {instant(createdAt)}
        </span>
      </div>
      {quarantinedAt && <Quarantine device={device} since={quarantinedAt} />}
      {failure && (
        <div className="notice bad">
          <strong>{failure.code}</strong>: {failure.message}
        </div>
      )}
      <div className="two">
        <div className="column">
          <DeviceVariants device={device} />
          <DeviceChoice id={id} running={running?.variantId ?? null} />
          <DeviceBudgetPart id={id} />
        </div>
        <div className="column">
          <DeviceTelemetry id={id} />
        </div>
        {running && (
          <div className="whole">
            <DeviceSigns id={id} running={running} />
          </div>
        )}
        <div className="whole">
          <DeviceProfile id={id} />
        </div>
        <div className="whole">
          <DeviceHistory id={id} />
        </div>
      </div>
    </>
  );
}

function Actions({ device }: { device: Device }) {
  const measure = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/v1/devices/{id}/measure', { params: { path: { id: device.id } } }) as never,
      ),
    onSuccess: () =>
      notifications.show({
        title: 'Asked to measure',
        message: 'Its new profile shows here when it is done.',
      }),
    onError: (error) =>
      notifications.show({ color: 'red', title: 'Not asked', message: error.message }),
  });
  return (
    <Button variant="default" loading={measure.isPending} onClick={() => measure.mutate()}>
      Measure again
    </Button>
  );
}

function Quarantine({ device, since }: { device: Device; since: string }) {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: () =>
      taken(api.DELETE('/api/v1/devices/{id}/quarantine', { params: { path: { id: device.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['devices'] }),
  });
  return (
    <div className="notice bad row">
      <span>
        In quarantine <Ago at={since} />: it failed too often, and no rollout takes it.
        {end.error && ` ${end.error.message}`}
      </span>
      <Button size="xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>
        End the quarantine
      </Button>
    </div>
  );
}
