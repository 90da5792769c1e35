import { useQuery } from '@tanstack/react-query';
import { queries } from '../api/queries';
import type { Decision } from '../api/types';
import { clock, instant } from '../parts/format';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { Told } from '../parts/tone';
import { decisionWords } from './decision-words';

const SHOWN = 300;

/** Every decision, the newest first, with what it rests on. */
export function DecisionLog({ id }: { id: string }) {
  const decisions = useQuery(queries.decisions(id));
  return (
    <Part title="Decision log" note="Replaying the events leads to the same decisions." flush>
      <Answer query={decisions} what="the decisions">
        {({ decisions: all }) =>
          all.length === 0 ? (
            <Empty title="Nothing was decided yet">Start the rollout, and it is told here.</Empty>
          ) : (
            <ol className="log" tabIndex={0} aria-label="Decisions, the newest first">
              {[...all]
                .reverse()
                .slice(0, SHOWN)
                .map((decision) => (
                  <Entry key={String(decision['seq'])} decision={decision} />
                ))}
            </ol>
          )
        }
      </Answer>
    </Part>
  );
}

function Entry({ decision }: { decision: Decision }) {
  const { title, tone, detail } = decisionWords(decision);
  const at = String(decision['at']);
  return (
    <li>
      <Told tone={tone}>
        <span className="decision">{title}</span>
      </Told>
      <time dateTime={at} title={instant(at)}>
        {clock(at)}
      </time>
      {detail && <span className="numbers">{detail}</span>}
    </li>
  );
}
