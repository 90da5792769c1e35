import { Button, Modal, Table } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Alert, AlertRule } from '../api/types';
import { Ago } from '../parts/ago';
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
      <Modal
        opened={making}
        onClose={close}
        title="Make a rule"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <RuleForm done={close} />
      </Modal>
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
      <div className="scroller" tabIndex={0} role="region" aria-label="Table of alerts">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>State</Table.Th>
              <Table.Th>Rule</Table.Th>
              <Table.Th>Metric</Table.Th>
              <Table.Th className="number">Value</Table.Th>
              <Table.Th>About</Table.Th>
              <Table.Th>Raised</Table.Th>
              <Table.Th>Seen by</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {alerts.map((alert) => (
              <Table.Tr key={alert.id}>
                <Table.Td>
                  <Told tone={alert.state === 'active' ? 'bad' : 'good'}>{alert.state}</Told>
                </Table.Td>
                <Table.Td>{alert.name}</Table.Td>
                <Table.Td>{METRICS[alert.metric].name}</Table.Td>
                <Table.Td className="number">{valueText(alert)}</Table.Td>
                <Table.Td className="mono">{alert.variantId ?? 'the fleet'}</Table.Td>
                <Table.Td>
                  <Ago at={alert.raisedAt} />
                </Table.Td>
                <Table.Td>
                  {alert.acknowledgedBy ?? (
                    <Button
                      size="xs"
                      variant="default"
                      loading={acknowledge.isPending && acknowledge.variables === alert.id}
                      onClick={() => acknowledge.mutate(alert.id)}
                    >
                      Acknowledge
                    </Button>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
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
      <div className="scroller" tabIndex={0} role="region" aria-label="Table of rules">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>Raised by</Table.Th>
              <Table.Th>For</Table.Th>
              <Table.Th>Devices</Table.Th>
              <Table.Th>Acts</Table.Th>
              <Table.Th aria-label="What to do" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rules.map((rule) => (
              <Table.Tr key={rule.id}>
                <Table.Td>{rule.name}</Table.Td>
                <Table.Td>{thresholdText(rule)}</Table.Td>
                <Table.Td>{duration(rule.forSeconds)}</Table.Td>
                <Table.Td>{rule.selector || 'all'}</Table.Td>
                <Table.Td>{actsText(rule)}</Table.Td>
                <Table.Td>
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={`Remove the rule ${rule.name}`}
                    loading={remove.isPending && remove.variables === rule.id}
                    onClick={() => remove.mutate(rule.id)}
                  >
                    Remove
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
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
