import { Button, Code, Group, Loader, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { ApiError } from '../api/client';

/** Something is on its way. */
export function Waiting({ what }: { what: string }) {
  return (
    <Group p="md" gap="sm" role="status">
      <Loader size="sm" />
      <Text c="dimmed">Loading {what}…</Text>
    </Group>
  );
}

/** What could not be had, why, and what to do. */
export function Failed({ error, retry }: { error: Error; retry?: () => void }) {
  const code = error instanceof ApiError ? error.code : 'CONSOLE';
  return (
    <div className="notice bad" role="alert">
      <Stack gap={6} align="flex-start">
        <Text fw={600}>{error.message}</Text>
        <Text size="sm" c="dimmed">
          {adviceOn(code)} <Code>{code}</Code>
        </Text>
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </div>
  );
}

function adviceOn(code: string): string {
  if (code === 'OFFLINE') return 'Is the server running, and can this machine reach it?';
  if (code === 'NOT_FOUND') return 'It may have been removed, or the address is mistyped.';
  if (code === 'ROLE_NEEDED') return 'Your role does not allow this; ask an administrator.';
  return 'The code finds it in the documentation and in the server’s log.';
}

/** Nothing is there yet: what it would be, and how to get it. */
export function Empty({
  title,
  children,
  action,
}: {
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <Stack align="center" gap="xs" py={28} px="md" ta="center">
      <Title order={3} size="h5">
        {title}
      </Title>
      <Text c="dimmed" maw={520}>
        {children}
      </Text>
      {action}
    </Stack>
  );
}

/** An address that is no page. */
export function NotFound() {
  return (
    <Empty
      title="There is no such page"
      action={
        <Button component={Link} to="/">
          To the overview
        </Button>
      }
    >
      The address may be mistyped.
    </Empty>
  );
}

/** What a question is at: waiting, failed, or answered. */
export function Answer<T>({
  query,
  what,
  children,
}: {
  query: { data: T | undefined; error: Error | null; refetch: () => unknown };
  what: string;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Waiting what={what} />;
}
