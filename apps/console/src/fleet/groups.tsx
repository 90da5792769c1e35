import { Link } from 'react-router';
import type { FleetSummary } from '../api/types';
import { Bar } from '../parts/bar';
import { whole } from '../parts/format';
import { Part } from '../parts/page';
import { Empty, Waiting } from '../parts/states';

/** Devices by label: how many carry each value, and the way to them. */
export function Groups({ summary }: { summary: FleetSummary | undefined }) {
  if (!summary) return <Waiting what="the groups" />;
  const keys = [...new Set(summary.labels.map(({ key }) => key))];
  if (keys.length === 0) {
    return (
      <Empty title="No device carries a label">
        Labels make groups: give them with the claim token, or on a device’s page.
      </Empty>
    );
  }
  return (
    <div className="two">
      {keys.map((key) => (
        <Part title={key} key={key}>
          <ul className="bars">
            {summary.labels
              .filter((label) => label.key === key)
              .map(({ value, devices }) => (
                <li key={value}>
                  <Link to={`/fleet?selector=${encodeURIComponent(`${key}=${value}`)}`}>
                    {value}
                  </Link>
                  <Bar parts={[{ tone: 'good', share: devices / summary.devices }]} />
                  <span>{whole(devices)}</span>
                </li>
              ))}
          </ul>
        </Part>
      ))}
    </div>
  );
}
