import { useQuery } from '@tanstack/react-query';
import { queries } from '../api/queries';
import { percent, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Answer } from '../parts/states';

/** How often devices and the dense model agreed in the last day; nothing while nobody asks for samples. */
export function ShadowAgreement({ modelId }: { modelId: string }) {
  const shadow = useQuery(queries.shadow(modelId));
  const agreement = useQuery(queries.agreement(modelId));
  const isOn = shadow.data?.policy != null;
  if (!isOn && (agreement.data?.series.length ?? 0) === 0) return null;
  return (
    <Part
      title="Shadow samples"
      note={
        isOn
          ? 'Of the last day: a few inputs of devices that allow it, judged by this model.'
          : 'Of the last day. No device is asked for samples any more.'
      }
    >
      <Answer query={agreement} what="the agreement">
        {({ series: [all] }) => (
          <Tiles>
            <Tile
              name="Agreement"
              note={all?.total.agreement ? intervalText(all.total.agreement) : ''}
            >
              {all?.total.agreement ? percent(all.total.agreement.value) : '–'}
            </Tile>
            <Tile name="Judged" note={`of ${whole(all?.total.devices ?? 0)} devices`}>
              {whole(all?.total.judged ?? 0)}
            </Tile>
            <Tile name="Waiting">{whole(shadow.data?.waiting ?? 0)}</Tile>
          </Tiles>
        )}
      </Answer>
    </Part>
  );
}

function intervalText({ interval }: { interval: readonly unknown[] }): string {
  const [low, high] = interval.map(Number);
  return `95 % interval ${percent(low ?? 0)} to ${percent(high ?? 1)}`;
}
