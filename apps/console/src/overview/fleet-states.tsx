import { Link } from 'react-router';
import type { FleetSummary } from '../api/types';
import { Bar } from '../parts/bar';
import { whole } from '../parts/format';
import { DeviceStateWord } from '../parts/tone';
import { DEVICE_STATES } from '../fleet/fleet-filter';

/** Devices by state, each the way to its devices. */
export function FleetStates({ summary }: { summary: FleetSummary }) {
  if (summary.devices === 0) return <p className="soft">No device has joined yet.</p>;
  const states = DEVICE_STATES.flatMap((state) =>
    summary.states.filter((one) => one.state === state),
  );
  return (
    <ul className="bars">
      {states.map(({ state, devices }) => (
        <li key={state}>
          <Link to={`/fleet?state=${state}`}>
            <DeviceStateWord state={state} />
          </Link>
          <Bar parts={[{ tone: 'good', share: devices / summary.devices }]} />
          <span>{whole(devices)}</span>
        </li>
      ))}
    </ul>
  );
}
