import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Budget, DeviceBudget } from '../api/types';
import { BudgetText } from '../parts/budget';
import { BudgetForm } from '../parts/budget-form';
import { Dialog } from '../parts/dialog';
import { Facts, Part } from '../parts/page';
import { Answer } from '../parts/states';

/** What the device may spend, and where that comes from. */
export function DeviceBudgetPart({ id }: { id: string }) {
  const client = useQueryClient();
  const budget = useQuery(queries.deviceBudget(id));
  const [opened, { open, close }] = useDisclosure(false);
  const save = useMutation({
    mutationFn: (own: Budget) =>
      taken(api.PATCH('/api/v1/devices/{id}', { params: { path: { id } }, body: { budget: own } })),
    onSuccess: async () => {
      close();
      await client.invalidateQueries({ queryKey: ['devices'] });
    },
  });
  return (
    <Part
      title="Budget"
      actions={
        <Button size="xs" variant="default" onClick={open} disabled={!budget.data}>
          Change its own
        </Button>
      }
    >
      <Answer query={budget} what="the budget">
        {(found) => <Facts facts={factsOf(found)} />}
      </Answer>
      <Dialog opened={opened} close={close} title="Budget of this device">
        {budget.data && (
          <BudgetForm
            budget={budget.data.own}
            save={(own) => save.mutate(own)}
            saving={save.isPending}
            error={save.error}
          />
        )}
      </Dialog>
    </Part>
  );
}

const factsOf = ({ effective, groups, own }: DeviceBudget) => [
  [
    'Holds',
    <strong key="e">
      <BudgetText budget={effective} />
    </strong>,
  ] as const,
  ...groups.map(
    ({ selector, budget }) =>
      [selector || 'The whole fleet', <BudgetText key={selector} budget={budget} />] as const,
  ),
  ['Its own', <BudgetText key="own" budget={own} />] as const,
];
