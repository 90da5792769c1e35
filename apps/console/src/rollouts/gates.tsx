import type { Rollout } from '../api/types';
import { Part } from '../parts/page';
import { VerdictWord } from '../parts/tone';
import { evidenceText, GATE_NAMES } from './evidence';

/** How each gate of the open stage stands, with its evidence. */
export function Gates({ rollout }: { rollout: Rollout }) {
  const { gates, stage } = rollout;
  return (
    <Part
      title="Gates"
      note={
        stage < 0
          ? 'They are watched once the rollout is started.'
          : 'Of the open stage, as they stand now.'
      }
    >
      <div className="gates">
        {gates.map(({ rule, variantId, verdict, numbers }) => (
          <div className="gate" key={`${rule}/${variantId ?? ''}`}>
            <div className="row">
              <strong>{GATE_NAMES[rule] ?? rule}</strong>
              <VerdictWord verdict={verdict} />
            </div>
            <div className="soft">
              {variantId ? (
                <>
                  Variant <span className="mono id">{variantId}</span>.{' '}
                </>
              ) : (
                'The stage as a whole. '
              )}
              {evidenceText(rule, numbers)}
            </div>
          </div>
        ))}
      </div>
    </Part>
  );
}
