import { Code } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { queries } from '../api/queries';
import type { AgreementFigures } from '../api/types';
import { DataTable } from '../parts/data-table';
import { percent, whole } from '../parts/format';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { Told } from '../parts/tone';
import { agreementText, intervalText, isUnderReport } from '../telemetry/agreement-words';
import { distinctly, variantOf } from '../telemetry/variant-names';
import { ShadowPolicy } from './shadow-policy';

/** How often devices and the dense model agreed in the last day, by variant. */
export function ShadowAgreement({ modelId }: { modelId: string }) {
  const shadow = useQuery(queries.shadow(modelId));
  const agreement = useQuery(queries.agreement({ modelId, by: 'variant' }));
  const isAsked = shadow.data?.policy != null;
  const waiting = shadow.data?.waiting ?? 0;
  return (
    <Part
      title="Agreement with this model"
      note={`A few inputs of devices that allow it, judged by this model, in the last day.${waiting > 0 ? ` Waiting to be judged: ${whole(waiting)}.` : ''}`}
      actions={shadow.data && <ShadowPolicy {...{ modelId, isAsked }} />}
      flush
    >
      <Answer query={agreement} what="the agreement">
        {({ series }) =>
          series.length > 0 ? (
            <ByVariant modelId={modelId} series={series} />
          ) : isAsked ? (
            <Empty title="No input was judged in the last day">
              Devices are asked, and send some where their agent was started with{' '}
              <Code>--allow-shadow-samples</Code>.
            </Empty>
          ) : (
            <Empty title="No input is compared">
              Agreement tells of harm where no labels come. Inputs leave the device for it, so both
              ends must want it: start agents with <Code>--allow-shadow-samples</Code>, and ask for
              samples here.
            </Empty>
          )
        }
      </Answer>
    </Part>
  );
}

interface VariantSeries {
  readonly key: string;
  readonly total: AgreementFigures;
}

function ByVariant({ modelId, series }: { modelId: string; series: readonly VariantSeries[] }) {
  const { data } = useQuery(queries.candidates(modelId));
  const named = distinctly(
    series.map(({ key }) => key),
    variantOf,
  );
  const reported = (key: string): number | undefined =>
    data?.candidates.find(({ id }) => id === variantOf(key))?.report.fidelity.agreement;
  return (
    <DataTable
      label="Agreement, by variant"
      rows={series}
      keyOf={({ key }) => key}
      columns={[
        { name: 'Variant', kind: 'mono', show: ({ key }) => named(key) },
        { name: 'Devices', kind: 'number', show: ({ total }) => whole(total.devices) },
        { name: 'Judged', kind: 'number', show: ({ total }) => whole(total.judged) },
        {
          name: 'Agreement',
          show: ({ key, total }) =>
            total.judged === 0 ? (
              '–'
            ) : (
              <Told tone={isUnderReport(total, reported(key)) ? 'bad' : 'good'}>
                {agreementText(total)}
                {isUnderReport(total, reported(key)) && ', less than in its report'}
              </Told>
            ),
        },
        { name: '95 % interval', show: ({ total }) => intervalText(total) },
        {
          name: 'In its report',
          kind: 'number',
          show: ({ key, total }) => {
            const share = reported(key);
            return share === undefined || !total.agreement ? '–' : percent(share);
          },
        },
        {
          name: 'Not sent',
          kind: 'number',
          show: ({ total }) => whole(total.tooLarge + total.overBudget + total.dropped),
        },
      ]}
    />
  );
}
