import { Autocomplete, Button, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Budget, FleetSummary } from '../api/types';
import { Ago } from '../parts/ago';
import { BudgetText } from '../parts/budget';
import { BudgetForm } from '../parts/budget-form';
import { DataTable } from '../parts/data-table';
import { Dialog } from '../parts/dialog';
import { Icon } from '../parts/icons';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';

interface Edited {
  readonly selector: string;
  readonly budget: Budget;
  readonly fresh: boolean;
}

/** What the whole fleet and its groups may spend; the most particular one holds. */
export function Budgets({ summary }: { summary: FleetSummary | undefined }) {
  const client = useQueryClient();
  const budgets = useQuery(queries.budgets());
  const [edited, setEdited] = useState<Edited | null>(null);
  const put = useMutation({
    mutationFn: (body: { selector: string; budget: Budget }) =>
      taken(api.PUT('/api/v1/budgets', { body })),
    onSuccess: async () => {
      setEdited(null);
      await client.invalidateQueries({ queryKey: ['budgets'] });
      await client.invalidateQueries({ queryKey: ['devices'] });
    },
  });
  const add = (
    <Button
      variant="default"
      leftSection={<Icon name="plus" />}
      onClick={() => setEdited({ selector: '', budget: {}, fresh: true })}
    >
      Set a budget
    </Button>
  );
  return (
    <Part
      title="Budgets of groups"
      note="A device has the budgets of every group it belongs to, the more particular over the others, and its own over all."
      actions={add}
      flush
    >
      <Answer query={budgets} what="the budgets">
        {({ budgets: rows }) =>
          rows.length === 0 ? (
            <Empty title="No group has a budget">
              Without one a device may use all that it has. Set one for the whole fleet or for the
              devices with certain labels.
            </Empty>
          ) : (
            <DataTable
              label="Budgets of groups"
              rows={rows}
              keyOf={({ selector }) => selector}
              columns={[
                { name: 'Devices with', show: ({ selector }) => selector || 'the whole fleet' },
                { name: 'May spend', show: ({ budget }) => <BudgetText budget={budget} /> },
                { name: 'Set', show: ({ updatedAt }) => <Ago at={updatedAt} /> },
                {
                  name: 'What to do',
                  hidden: true,
                  show: ({ selector, budget }) => (
                    <Group gap="xs" justify="flex-end" wrap="nowrap">
                      <Button
                        size="xs"
                        variant="default"
                        aria-label={`Change the budget of ${selector || 'the whole fleet'}`}
                        onClick={() => setEdited({ selector, budget, fresh: false })}
                      >
                        Change
                      </Button>
                      <Button
                        size="xs"
                        variant="default"
                        aria-label={`Remove the budget of ${selector || 'the whole fleet'}`}
                        loading={put.isPending && put.variables.selector === selector}
                        onClick={() => put.mutate({ selector, budget: {} })}
                      >
                        Remove
                      </Button>
                    </Group>
                  ),
                },
              ]}
            />
          )
        }
      </Answer>
      <Dialog opened={edited !== null} close={() => setEdited(null)} title="Budget of a group">
        {edited && (
          <Stack>
            {edited.fresh ? (
              <Autocomplete
                label="Devices with these labels"
                description="As site=lyon,line=3; empty: the whole fleet"
                data={[...new Set((summary?.labels ?? []).map((one) => `${one.key}=${one.value}`))]}
                value={edited.selector}
                onChange={(selector) => setEdited({ ...edited, selector })}
              />
            ) : (
              <Text fw={600}>{edited.selector || 'The whole fleet'}</Text>
            )}
            <BudgetForm
              budget={edited.budget}
              saving={put.isPending}
              error={put.error}
              save={(budget) => put.mutate({ selector: edited.selector, budget })}
            />
          </Stack>
        )}
      </Dialog>
    </Part>
  );
}
