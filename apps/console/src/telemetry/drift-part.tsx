import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { VariantDrift } from '../api/types';
import { DataTable, Two, type Column } from '../parts/data-table';
import { whole } from '../parts/format';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { Told } from '../parts/tone';
import { chanceText, driftState } from './drift-words';
import { distinctly, variantOf } from './variant-names';

/** How far what devices see and answer is from the data of their variant's report. */
export function DriftPart({ model }: { model: string }) {
  const drift = useQuery(queries.drift({ model }));
  return (
    <Part
      title="Drift"
      note="Whether inputs and answers are other ones than in the data of the report. It needs no labels."
      flush
    >
      <Answer query={drift} what="what drifts">
        {({ variants }) =>
          variants.length === 0 ? (
            <Empty title="No device is watched now">
              Those that run a variant of this model are, from their first minute on. If there are
              any, look at <Link to="/fleet">the fleet</Link> for when they were seen.
            </Empty>
          ) : (
            <DataTable
              label="Drift, by variant"
              rows={variants}
              keyOf={keyOf}
              columns={columnsOf(variants)}
            />
          )
        }
      </Answer>
    </Part>
  );
}

const keyOf = ({ releaseId, variantId }: VariantDrift): string => `${releaseId}/${variantId}`;

function columnsOf(variants: readonly VariantDrift[]): readonly Column<VariantDrift>[] {
  const named = distinctly(variants.map(keyOf), variantOf);
  return [
    { name: 'Variant', kind: 'mono', show: (variant) => named(keyOf(variant)) },
    { name: 'Devices', kind: 'number', show: ({ devices }) => whole(devices) },
    {
      name: 'Drift',
      show: ({ days }) => {
        const { tone, name } = driftState(days);
        return <Two first={<Told tone={tone}>{name}</Told>} second={chanceText(days)} />;
      },
    },
    {
      name: 'Most of it at',
      show: ({ mostDrifted: [most] }) =>
        most && (
          <Two
            first={<Link to={`/fleet/${most.deviceId}`}>{most.deviceId}</Link>}
            second={most.family}
          />
        ),
    },
    {
      name: 'Held against',
      show: ({ reference }) =>
        reference ? (
          <Two first={`${reference.source} data`} second={`${whole(reference.samples)} samples`} />
        ) : (
          'nothing'
        ),
    },
    {
      name: 'Stability index',
      kind: 'number',
      show: ({ stabilityIndex }) => stabilityIndex?.toFixed(2) ?? '–',
    },
  ];
}
