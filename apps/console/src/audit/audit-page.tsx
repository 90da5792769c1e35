import { Button, Group, Paper, Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, taken } from '../api/client';
import { auditQuery } from '../api/queries';
import type { AuditEntry } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
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
              <DataTable
                label="Audit log"
                rows={entries}
                keyOf={({ seq }) => String(seq)}
                columns={COLUMNS}
              />
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

const COLUMNS: readonly Column<AuditEntry>[] = [
  { name: 'No.', kind: 'number', show: ({ seq }) => seq },
  { name: 'When', show: ({ at }) => instant(at) },
  { name: 'Who', show: ({ actor }) => actor },
  { name: 'What', show: ({ action }) => <span title={action}>{actionWords(action)}</span> },
  { name: 'On', kind: 'mono', show: ({ object }) => <AuditObject object={object} /> },
  {
    name: 'Outcome',
    show: ({ outcome, code }) => (
      <>
        <Told tone={TONES[outcome]}>{outcome}</Told>
        {code && <span className="mono soft"> {code}</span>}
      </>
    ),
  },
  { name: 'From', kind: 'mono', show: ({ address }) => address },
];

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
