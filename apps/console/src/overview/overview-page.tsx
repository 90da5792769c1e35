import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import { whole } from '../parts/format';
import { Page, Part, Tile, Tiles } from '../parts/page';
import { Answer, Waiting } from '../parts/states';
import { Attention } from './attention';
import { FirstSteps } from './first-steps';
import { FleetStates } from './fleet-states';
import { RunningRollouts } from './running-rollouts';

// What draws charts comes when there is something to draw, so that the figures are there at once.
const FleetInTheField = lazy(() => import('./fleet-in-the-field'));

const OVER = ['completed', 'halted', 'aborted'];

/** How everything is, at a glance. */
export function OverviewPage() {
  const fleet = useQuery(queries.fleetSummary());
  const models = useQuery(queries.models());
  const rollouts = useQuery(queries.rollouts());
  const alerts = useQuery(queries.alerts());
  const active = alerts.data?.alerts.filter(({ state }) => state === 'active') ?? [];
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
                  <Link to="/fleet">{whole(summary.devices)}</Link>
                </Tile>
                <Tile name="Failed" note={`${whole(summary.quarantined)} in quarantine`}>
                  <Link to="/fleet?state=failed">
                    {whole(inState('failed') + inState('refused'))}
                  </Link>
                </Tile>
                <Tile name="Models" note="trained, pushed once">
                  {models.data ? <Link to="/models">{whole(models.data.models.length)}</Link> : '…'}
                </Tile>
                <Tile
                  name="Alerts"
                  note={`${whole(active.filter(({ acknowledgedBy }) => !acknowledgedBy).length)} that nobody has seen`}
                >
                  {alerts.data ? <Link to="/alerts">{whole(active.length)}</Link> : '…'}
                </Tile>
                <Tile
                  name="Rollouts under way"
                  note={`${whole(live.filter(({ status }) => status !== 'running').length)} wait for a person`}
                >
                  {rollouts.data ? <Link to="/rollouts">{whole(live.length)}</Link> : '…'}
                </Tile>
              </Tiles>
              <FirstSteps
                devices={summary.devices}
                models={models.data?.models.length}
                rollouts={rollouts.data?.rollouts.length}
              />
              <div className="two">
                <div className="column">
                  {summary.devices > 0 && alerts.data && rollouts.data && (
                    <Attention
                      summary={summary}
                      alerts={alerts.data.alerts}
                      rollouts={rollouts.data.rollouts}
                    />
                  )}
                  <Part title="The fleet by state">
                    <FleetStates summary={summary} />
                  </Part>
                </div>
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
              {rollouts.data && rollouts.data.rollouts.length > 0 && (
                <Suspense fallback={<Waiting what="the telemetry" />}>
                  <FleetInTheField rollouts={rollouts.data.rollouts} />
                </Suspense>
              )}
            </>
          );
        }}
      </Answer>
    </Page>
  );
}
