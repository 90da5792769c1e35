import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Alert, AlertRule } from '../api/types';
import { Ago } from '../parts/ago';
import { DataTable, Two } from '../parts/data-table';
import { Dialog } from '../parts/dialog';
import { duration } from '../parts/format';
import { Icon } from '../parts/icons';
import { Page, Part } from '../parts/page';
import { Answer, Empty, Failed } from '../parts/states';
import { Told } from '../parts/tone';
import { METRICS, thresholdText, valueText } from './alert-words';
import { RuleForm } from './rule-form';

/** What is wrong now, what was, and the rules that say so. */
export default function AlertsPage() {
  const alerts = useQuery(queries.alerts());
  const rules = useQuery(queries.alertRules());
  const [making, { open, close }] = useDisclosure(false);
  const make = (
    <Button leftSection={<Icon name="plus" />} onClick={open}>
      Make a rule
    </Button>
  );
  return (
    <Page title="Alerts" actions={make}>
      <Part title="Alerts raised" flush>
        <Answer query={alerts} what="the alerts">
          {({ alerts: all }) =>
            all.length === 0 ? (
              <Empty title="Nothing was raised">
                A rule raises an alert when what it watches was bad for long enough, and clears it
                when it was good again.
              </Empty>
            ) : (
              <AlertTable alerts={all} />
            )
          }
        </Answer>
      </Part>
      <Part title="Rules" flush>
        <Answer query={rules} what="the rules">
          {({ rules: all }) =>
            all.length === 0 ? (
              <Empty title="No rule watches the fleet yet">
                Make one for accuracy, drift, latency, memory, restarts or silent devices. It can
                also pause rollouts or have the fleet planned anew.
              </Empty>
            ) : (
              <RuleTable rules={all} />
            )
          }
        </Answer>
      </Part>
      <Dialog opened={making} close={close} title="Make a rule">
        <RuleForm done={close} />
      </Dialog>
    </Page>
  );
}

function AlertTable({ alerts }: { alerts: readonly Alert[] }) {
  const client = useQueryClient();
  const acknowledge = useMutation({
    mutationFn: (id: string) =>
      taken(api.POST('/api/v1/alerts/{id}/acknowledge', { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['alerts'] }),
  });
  return (
    <>
      {acknowledge.error && <Failed error={acknowledge.error} />}
      <DataTable
        label="Table of alerts"
        rows={alerts}
        keyOf={({ id }) => id}
        columns={[
          {
            name: 'State',
            show: ({ state }) => <Told tone={state === 'active' ? 'bad' : 'good'}>{state}</Told>,
          },
          { name: 'Rule', show: ({ name }) => name },
          {
            name: 'Measured',
            show: (alert) => (
              <Two
                first={`${METRICS[alert.metric].name} ${valueText(alert)}`}
                second={alert.restsOn}
              />
            ),
          },
          { name: 'About', kind: 'mono', show: ({ variantId }) => variantId ?? 'the fleet' },
          { name: 'Raised', show: ({ raisedAt }) => <Ago at={raisedAt} /> },
          {
            name: 'Seen by',
            show: ({ id, name, acknowledgedBy }) =>
              acknowledgedBy ?? (
                <Button
                  size="xs"
                  variant="default"
                  aria-label={`Acknowledge ${name}`}
                  loading={acknowledge.isPending && acknowledge.variables === id}
                  onClick={() => acknowledge.mutate(id)}
                >
                  Acknowledge
                </Button>
              ),
          },
        ]}
      />
    </>
  );
}

function RuleTable({ rules }: { rules: readonly AlertRule[] }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (id: string) =>
      taken(api.DELETE('/api/v1/alert-rules/{id}', { params: { path: { id } } }) as never),
    onSuccess: () => client.invalidateQueries({ queryKey: ['alerts'] }),
  });
  return (
    <>
      {remove.error && <Failed error={remove.error} />}
      <DataTable
        label="Table of rules"
        rows={rules}
        keyOf={({ id }) => id}
        columns={[
          { name: 'Name', show: ({ name }) => name },
          { name: 'Raised by', show: thresholdText },
          {
            name: 'For',
            show: ({ forSeconds }) => (forSeconds === 0 ? 'at once' : duration(forSeconds)),
          },
          { name: 'Devices', show: ({ selector }) => selector || 'all' },
          { name: 'Acts', show: actsText },
          {
            name: 'What to do',
            hidden: true,
            show: ({ id, name }) => (
              <Button
                size="xs"
                variant="default"
                aria-label={`Remove the rule ${name}`}
                loading={remove.isPending && remove.variables === id}
                onClick={() => remove.mutate(id)}
              >
                Remove
              </Button>
            ),
          },
        ]}
      />
    </>
  );
}

function actsText({ actions }: AlertRule): string {
  const acts = [
    ...(actions.webhook ? ['tells a webhook'] : []),
    ...(actions.pauseRollouts ? ['pauses rollouts'] : []),
    ...(actions.planAgain ? ['plans again'] : []),
  ];
  return acts.join(', ') || 'shows here';
}
