import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { queries } from '../api/queries';
import type { Device } from '../api/types';
import { percent, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Told } from '../parts/tone';
import { agreementText, intervalText } from '../telemetry/agreement-words';
import { chanceText, driftState } from '../telemetry/drift-words';
import { SPANS } from '../telemetry/span';

/** What tells how well the device's variant does although no label comes. */
export function DeviceSigns({
  id,
  running,
}: {
  id: string;
  running: NonNullable<Device['running']>;
}) {
  const { releaseId, variantId } = running;
  return (
    <Part
      title="Without labels"
      note="What tells how well its variant does although no label comes."
    >
      <Tiles>
        <EstimateTile id={id} variant={`${releaseId}/${variantId}`} />
        <DriftTile id={id} variantId={variantId} />
        <AgreementTile id={id} variant={`${releaseId}/${variantId}`} />
      </Tiles>
    </Part>
  );
}

function EstimateTile({ id, variant }: { id: string; variant: string }) {
  const { data } = useQuery(queries.deviceSeries(id, SPANS.day));
  const total = data?.series.find(({ key }) => key === variant)?.total;
  const estimate = total?.accuracyEstimate;
  let note: ReactNode = 'nothing was measured in the last day';
  if (!data) note = 'being asked for';
  else if (estimate) {
    note = `from the confidence of ${whole(estimate.items)} answers of the last day, held against ${estimate.references.join(' and ')} data`;
  } else if (total) {
    note = 'needs a report with labelled data: push the model with an evaluation file';
  }
  return (
    <Tile name="Accuracy, estimated" note={note}>
      {estimate ? percent(estimate.value) : '–'}
    </Tile>
  );
}

function DriftTile({ id, variantId }: { id: string; variantId: string }) {
  const { data } = useQuery(queries.drift({ deviceId: id, variantId }));
  const own = data?.variants[0]?.mostDrifted[0];
  if (!own) {
    return (
      <Tile name="Drift" note={data ? 'nothing to say yet: it takes some minutes of reports' : ''}>
        –
      </Tile>
    );
  }
  const { tone, name } = driftState(own.evidenceDays);
  return (
    <Tile
      name="Drift"
      note={`${own.family && own.evidenceDays >= 1 ? `${own.family}: ` : ''}${chanceText(own.evidenceDays)}`}
    >
      <Told tone={tone}>{name}</Told>
    </Tile>
  );
}

function AgreementTile({ id, variant }: { id: string; variant: string }) {
  const { data } = useQuery(queries.agreement({ deviceId: id, by: 'variant' }));
  const total = data?.series.find(({ key }) => key === variant)?.total;
  const note =
    total && total.judged > 0
      ? `95 % interval ${intervalText(total)}, ${whole(total.judged)} samples of the last day`
      : 'no input was compared: its agent must allow shadow samples, and they are asked for on its model’s page';
  return (
    <Tile name="Agreement with the uncompressed model" note={data ? note : ''}>
      {total && total.judged > 0 ? agreementText(total) : '–'}
    </Tile>
  );
}
