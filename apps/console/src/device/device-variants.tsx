import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { Device, TargetOfDevice } from '../api/types';
import { briefly, instant } from '../parts/format';
import { Facts, Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';

/** What runs now, by the hash of what the device loaded, and what ran before. */
export function DeviceVariants({ device }: { device: Device }) {
  const targets = useQuery(queries.targets(device.id));
  const { running } = device;
  return (
    <Part title="What it runs">
      <Answer query={targets} what="its targets">
        {({ targets: all }) => {
          if (!running) {
            return (
              <Empty title="Nothing yet">
                It gets a variant with the first rollout that takes it.
              </Empty>
            );
          }
          const now = all.find(({ modelSha256 }) => modelSha256 === running.modelSha256);
          const previous = all.find(
            ({ generation, modelSha256 }) =>
              modelSha256 !== running.modelSha256 && generation < (now?.generation ?? Infinity),
          );
          return (
            <Facts
              facts={[
                ['Now', <Variant key="now" variantId={running.variantId} target={now} />],
                [
                  'Loaded model, sha256',
                  <span key="sha" className="mono" title={running.modelSha256}>
                    {briefly(running.modelSha256)}
                  </span>,
                ],
                [
                  'Before',
                  previous ? (
                    <Variant key="before" variantId={previous.variantId} target={previous} />
                  ) : (
                    <span className="soft">nothing</span>
                  ),
                ],
              ]}
            />
          );
        }}
      </Answer>
    </Part>
  );
}

function Variant({ variantId, target }: { variantId: string; target: TargetOfDevice | undefined }) {
  return (
    <>
      {target?.modelId ? (
        <Link to={`/models/${target.modelId}?candidate=${variantId}`}>
          {target.model} v{target.version}
        </Link>
      ) : null}{' '}
      <span className="mono">{variantId}</span>
      {target && (
        <Text size="xs" c="dimmed">
          since {instant(target.createdAt)}
        </Text>
      )}
    </>
  );
}
