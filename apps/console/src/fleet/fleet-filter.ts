import { useMemo } from 'react';
import { useSearchParams } from 'react-router';
import type { FleetFilter } from '../api/queries';
import type { DeviceState } from '../api/types';

export const DEVICE_STATES: readonly DeviceState[] = [
  'enrolled',
  'ready',
  'accepted',
  'downloading',
  'installing',
  'probing',
  'active',
  'failed',
  'refused',
];

/** The filter as it stands in the address, so that a link shows the same devices. */
export function useFleetFilter(): [FleetFilter, (change: Partial<FleetFilter>) => void] {
  const [params, setParams] = useSearchParams();
  const filter = useMemo(
    (): FleetFilter => ({
      selector: params.get('selector') ?? '',
      search: params.get('search') ?? '',
      state: DEVICE_STATES.find((state) => state === params.get('state')) ?? null,
      quarantined: params.get('quarantined') === 'true',
    }),
    [params],
  );
  const change = (changed: Partial<FleetFilter>): void => {
    const { selector, search, state, quarantined } = { ...filter, ...changed };
    setParams(
      {
        ...(selector ? { selector } : {}),
        ...(search ? { search } : {}),
        ...(state ? { state } : {}),
        ...(quarantined ? { quarantined: 'true' } : {}),
      },
      { replace: true },
    );
  };
  return [filter, change];
}
