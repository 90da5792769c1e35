import { Button, Paper, Tabs } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { queries } from '../api/queries';
import { Icon } from '../parts/icons';
import { Page } from '../parts/page';
import { Empty } from '../parts/states';
import { AddDevice } from './add-device';
import { Budgets } from './budgets';
import { DeviceList } from './device-list';
import { FilterBar } from './filter-bar';
import { useFleetFilter } from './fleet-filter';
import { Groups } from './groups';
import './fleet.css';

const TABS = ['devices', 'groups', 'budgets'] as const;

/** The fleet: its devices, the groups they form, and what those may spend. */
export function FleetPage() {
  const [filter, change] = useFleetFilter();
  const [params, setParams] = useSearchParams();
  const tab = TABS.find((one) => one === params.get('tab')) ?? 'devices';
  const [adding, { open, close }] = useDisclosure(false);
  const { data: summary } = useQuery(queries.fleetSummary());
  const add = (
    <Button leftSection={<Icon name="plus" />} onClick={open}>
      Add a device
    </Button>
  );
  return (
    <Page title="Fleet" actions={summary?.devices === 0 ? null : add}>
      {summary?.devices === 0 ? (
        <Paper withBorder className="part">
          <Empty title="No device has joined yet" action={add}>
            A device joins with a claim token and one command. It measures itself, and appears here
            with what it can run.
          </Empty>
        </Paper>
      ) : (
        <Tabs
          value={tab}
          onChange={(chosen) =>
            setParams(chosen === 'devices' || !chosen ? {} : { tab: chosen }, { replace: true })
          }
          keepMounted={false}
        >
          <Tabs.List mb="md">
            <Tabs.Tab value="devices">Devices</Tabs.Tab>
            <Tabs.Tab value="groups">Groups</Tabs.Tab>
            <Tabs.Tab value="budgets">Budgets</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="devices">
            <Paper withBorder className="part">
              <FilterBar filter={filter} change={change} summary={summary} />
              <DeviceList filter={filter} />
            </Paper>
          </Tabs.Panel>
          <Tabs.Panel value="groups">
            <Groups summary={summary} />
          </Tabs.Panel>
          <Tabs.Panel value="budgets">
            <Budgets summary={summary} />
          </Tabs.Panel>
        </Tabs>
      )}
      <AddDevice opened={adding} close={close} />
    </Page>
  );
}
