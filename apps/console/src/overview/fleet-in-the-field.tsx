import { useCallback } from 'react';
import type { RolloutSummary } from '../api/types';
import { FieldPart } from '../telemetry/field-part';

/** What the fleet measures, by release, named by its model and version. */
export default function FleetInTheField({ rollouts }: { rollouts: readonly RolloutSummary[] }) {
  const nameOf = useCallback(
    (releaseId: string): string => {
      const made = rollouts.find((rollout) => rollout.releaseId === releaseId);
      return made ? `${made.model} v${made.version}` : releaseId;
    },
    [rollouts],
  );
  return <FieldPart query={{}} kind="release" nameOf={nameOf} />;
}
