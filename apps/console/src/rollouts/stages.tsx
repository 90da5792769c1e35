import type { Rollout } from '../api/types';
import { Bar } from '../parts/bar';
import { some, whole } from '../parts/format';
import { Part } from '../parts/page';
import { Told, toneOfMember, type Tone } from '../parts/tone';

const ORDER: readonly Tone[] = ['good', 'busy', 'wait', 'bad'];

/** The stages, each with what its devices are at. */
export function Stages({ rollout }: { rollout: Rollout }) {
  const { stages, stage: open, spec, status } = rollout;
  const over = ['completed', 'halted', 'aborted'].includes(status);
  return (
    <Part title="Stages">
      <ol className="stages">
        {stages.map((stage, at) => {
          const told = Object.entries(stage.counts).filter(([, count]) => count > 0);
          const current = at === open && !over;
          return (
            <li
              key={at}
              aria-current={current ? 'step' : undefined}
              data-passed={at < open || undefined}
            >
              <div className="row">
                <strong>
                  {at + 1}. {stage.name}
                  {spec.stages[at]?.approval ? ', after approval' : ''}
                </strong>
                <span className="soft">
                  {some(stage.devices, 'device')}
                  {current ? ', open' : ''}
                </span>
              </div>
              <Bar
                parts={ORDER.map((tone) => ({
                  tone,
                  share:
                    stage.devices === 0
                      ? 0
                      : sum(told.filter(([name]) => toneOfMember(name) === tone)) / stage.devices,
                }))}
              />
              <div className="line">
                {told.map(([name, count]) => (
                  <Told key={name} tone={toneOfMember(name)}>
                    {whole(count)} {name}
                  </Told>
                ))}
              </div>
            </li>
          );
        })}
      </ol>
    </Part>
  );
}

const sum = (counts: readonly (readonly [string, number])[]): number =>
  counts.reduce((total, [, count]) => total + count, 0);
