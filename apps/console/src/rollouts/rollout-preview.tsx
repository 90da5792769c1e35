import { Table } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, taken } from '../api/client';
import type { RolloutPreview, RolloutRequest } from '../api/types';
import { bytes, duration, percent, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Answer } from '../parts/states';

/** What the rollout would do, before it is written. */
export function RolloutPreviewPart({ request }: { request: RolloutRequest }) {
  const preview = useQuery({
    queryKey: ['rollout-preview', request],
    queryFn: () => taken(api.POST('/api/v1/rollouts/preview', { body: request })),
    placeholderData: keepPreviousData,
  });
  return (
    <Part title="What it would do" note="Nothing is written yet.">
      <Answer query={preview} what="the preview">
        {(found) => <Previewed preview={found} />}
      </Answer>
    </Part>
  );
}

function Previewed({ preview }: { preview: RolloutPreview }) {
  const { devices, controls, variants, stages, seconds, deviceSeconds, expectedAccuracy, misfits } =
    preview;
  return (
    <div className="column">
      <Tiles>
        <Tile name="Devices" note={controls > 0 ? `${whole(controls)} held back` : undefined}>
          {whole(devices)}
        </Tile>
        <Tile name="Sent" note="at most, each its own">
          {bytes(preview.bytes)}
        </Tile>
        <Tile
          name="Takes at least"
          note={
            deviceSeconds === null
              ? 'no device was timed yet'
              : `${duration(deviceSeconds)} a device`
          }
        >
          {duration(seconds)}
        </Tile>
        <Tile
          name="Accuracy expected"
          note={expectedAccuracy ? `${percent(expectedAccuracy.before, 2)} before` : 'not measured'}
        >
          {expectedAccuracy ? percent(expectedAccuracy.after, 2) : '–'}
        </Tile>
      </Tiles>
      <div className="scroller">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Stage</Table.Th>
              <Table.Th className="number">Devices</Table.Th>
              <Table.Th className="number">Sent</Table.Th>
              <Table.Th className="number">At least</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {stages.map((stage) => (
              <Table.Tr key={stage.name}>
                <Table.Td>{stage.name}</Table.Td>
                <Table.Td className="number">{whole(stage.devices)}</Table.Td>
                <Table.Td className="number">{bytes(stage.bytes)}</Table.Td>
                <Table.Td className="number">{duration(stage.seconds)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <div className="scroller">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Variant</Table.Th>
              <Table.Th className="number">Devices</Table.Th>
              <Table.Th className="number">Size</Table.Th>
              <Table.Th className="number">Accuracy</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {variants.map((variant) => (
              <Table.Tr key={variant.variantId}>
                <Table.Td>
                  <span className="mono">{variant.variantId}</span> {variant.precision}
                </Table.Td>
                <Table.Td className="number">{whole(variant.devices)}</Table.Td>
                <Table.Td className="number">{bytes(variant.artifactBytes)}</Table.Td>
                <Table.Td className="number">
                  {variant.expectedAccuracy === null ? '–' : percent(variant.expectedAccuracy, 2)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {misfits.length > 0 && (
        <div className="notice wait">
          <strong>{whole(misfits.length)} devices are left out</strong>
          <ul className="plain-list">
            {misfits.slice(0, 10).map(({ deviceId, why }) => (
              <li key={deviceId}>
                {deviceId}: {why}
              </li>
            ))}
            {misfits.length > 10 && <li>and {whole(misfits.length - 10)} more</li>}
          </ul>
        </div>
      )}
    </div>
  );
}
