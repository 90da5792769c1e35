import { Button, Group, Paper, Select, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, taken } from '../api/client';
import { auditQuery } from '../api/queries';
import type { AuditEntry } from '../api/types';
import { instant, whole } from '../parts/format';
import { Page } from '../parts/page';
import { Answer, Empty, Failed } from '../parts/states';
import { Told, type Tone } from '../parts/tone';
import { actionWords } from './audit-words';

const TYPING_MS = 250;
const OUTCOMES = ['done', 'refused', 'failed'] as const;
const TONES: Readonly<Record<AuditEntry['outcome'], Tone>> = {
  done: 'good',
  refused: 'wait',
  failed: 'bad',
};

/** Who did what, and whether the log is whole. */
export default function AuditPage() {
  const [actor, setActor] = useState('');
  const [outcome, setOutcome] = useState<AuditEntry['outcome'] | null>(null);
  const [asked] = useDebouncedValue(actor.trim(), TYPING_MS);
  const audit = useInfiniteQuery(auditQuery(asked, outcome));
  return (
    <Page title="Audit" actions={<Verify />}>
      <Paper withBorder className="part">
        <div className="filters audit">
          <TextInput
            aria-label="Who"
            placeholder="Anyone"
            value={actor}
            onChange={({ currentTarget }) => setActor(currentTarget.value)}
          />
          <Select
            aria-label="Outcome"
            placeholder="Any outcome"
            clearable
            clearButtonProps={{ 'aria-label': 'Any outcome' }}
            data={[...OUTCOMES]}
            value={outcome}
            onChange={(value) => setOutcome(OUTCOMES.find((one) => one === value) ?? null)}
          />
        </div>
        <Answer query={audit} what="the audit log">
          {({ pages }) => {
            const entries = pages.flatMap((page) => page.entries);
            return entries.length === 0 ? (
              <Empty title="No such entry">Take a filter away to see more.</Empty>
            ) : (
              <Entries entries={entries} />
            );
          }}
        </Answer>
        {audit.hasNextPage && (
          <Group justify="center" p="md">
            <Button
              variant="default"
              loading={audit.isFetchingNextPage}
              onClick={() => void audit.fetchNextPage()}
            >
              Earlier entries
            </Button>
          </Group>
        )}
      </Paper>
    </Page>
  );
}

function Entries({ entries }: { entries: readonly AuditEntry[] }) {
  return (
    <div className="scroller" tabIndex={0} role="region" aria-label="Audit log">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th className="number">No.</Table.Th>
            <Table.Th>When</Table.Th>
            <Table.Th>Who</Table.Th>
            <Table.Th>What</Table.Th>
            <Table.Th>On</Table.Th>
            <Table.Th>Outcome</Table.Th>
            <Table.Th>From</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((entry) => (
            <Table.Tr key={entry.seq}>
              <Table.Td className="number">{entry.seq}</Table.Td>
              <Table.Td>{instant(entry.at)}</Table.Td>
              <Table.Td>{entry.actor}</Table.Td>
              <Table.Td title={entry.action}>{actionWords(entry.action)}</Table.Td>
              <Table.Td className="mono">
                <AuditObject object={entry.object} />
              </Table.Td>
              <Table.Td>
                <Told tone={TONES[entry.outcome]}>{entry.outcome}</Told>
                {entry.code && <span className="mono soft"> {entry.code}</span>}
              </Table.Td>
              <Table.Td className="mono">{entry.address}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

const PAGES: Readonly<Record<string, string>> = {
  rollouts: 'rollouts',
  devices: 'fleet',
  models: 'models',
};

/** What was acted on; where it has a page, the way there. */
function AuditObject({ object }: { object: string }) {
  const [, kind = '', id] = /^\/api\/v1\/([^/]+)(?:\/([^/]+))?/.exec(object) ?? [];
  const page = PAGES[kind];
  if (page && id) return <Link to={`/${page}/${id}`}>{id}</Link>;
  return <>{id ?? object.replace('/api/v1/', '')}</>;
}

/** Follows the chain of hashes, so that one knows that nothing was rewritten. */
function Verify() {
  const verify = useMutation({ mutationFn: () => taken(api.GET('/api/v1/audit/verify')) });
  const { data, error } = verify;
  return (
    <>
      {error && <Failed error={error} />}
      {data && (
        <span role="status">
          {data.fault ? (
            <Told tone="bad">
              Entry {data.fault.seq} is {data.fault.why}
            </Told>
          ) : (
            <Told tone="good">All {whole(data.entries)} entries are unaltered</Told>
          )}
        </span>
      )}
      <Button variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
        Verify the log
      </Button>
    </>
  );
}
