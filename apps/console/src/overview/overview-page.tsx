import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import { whole } from '../parts/format';
import { Page, Part, Tile, Tiles } from '../parts/page';
import { Answer } from '../parts/states';
import { FirstSteps } from './first-steps';
import { FleetStates } from './fleet-states';
import { RunningRollouts } from './running-rollouts';

const OVER = ['completed', 'halted', 'aborted'];

/** How everything is, at a glance. */
export function OverviewPage() {
  const fleet = useQuery(queries.fleetSummary());
  const models = useQuery(queries.models());
  const rollouts = useQuery(queries.rollouts());
  const live = rollouts.data?.rollouts.filter(({ status }) => !OVER.includes(status)) ?? [];
  return (
    <Page title="Overview">
      <Answer query={fleet} what="the fleet">
        {(summary) => {
          const inState = (state: string): number =>
            summary.states.find((one) => one.state === state)?.devices ?? 0;
          return (
            <>
              <Tiles>
                <Tile name="Devices" note={`${whole(inState('active'))} run what they were given`}>
                  {whole(summary.devices)}
                </Tile>
                <Tile name="Failed" note={`${whole(summary.quarantined)} in quarantine`}>
                  {whole(inState('failed') + inState('refused'))}
                </Tile>
                <Tile name="Models" note="trained, pushed once">
                  {models.data ? whole(models.data.models.length) : '…'}
                </Tile>
                <Tile
                  name="Rollouts under way"
                  note={`${whole(live.filter(({ status }) => status !== 'running').length)} wait for a person`}
                >
                  {rollouts.data ? whole(live.length) : '…'}
                </Tile>
              </Tiles>
              <FirstSteps
                devices={summary.devices}
                models={models.data?.models.length}
                rollouts={rollouts.data?.rollouts.length}
              />
              <div className="two">
                <Part title="The fleet by state">
                  <FleetStates summary={summary} />
                </Part>
                <Part
                  title="Rollouts"
                  flush
                  actions={
                    <Button component={Link} to="/rollouts" size="xs" variant="default">
                      All rollouts
                    </Button>
                  }
                >
                  <Answer query={rollouts} what="the rollouts">
                    {({ rollouts: all }) => <RunningRollouts rollouts={all} />}
                  </Answer>
                </Part>
              </div>
            </>
          );
        }}
      </Answer>
    </Page>
  );
}
