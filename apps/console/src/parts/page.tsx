import { Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';

/** A page: its title, what may be done, and its parts. */
export function Page({
  title,
  over,
  actions,
  children,
}: {
  title: string;
  /** A line over the title: where it belongs. */
  over?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  useDocumentTitle(`${title} · Espalier`);
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end" gap="sm">
        <div className="page-title">
          {over && (
            <Text size="sm" c="dimmed" component="div">
              {over}
            </Text>
          )}
          <Title order={1} size="h2">
            {title}
          </Title>
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

/** A card with a heading. */
export function Part({
  title,
  note,
  actions,
  flush = false,
  children,
}: {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  /** The content reaches the card's sides, as a table does. */
  flush?: boolean;
  children: ReactNode;
}) {
  return (
    <Paper withBorder component="section" className="part" aria-label={title}>
      <Group justify="space-between" align="flex-start" gap="xs" p="md" pb={flush ? 'sm' : 0}>
        <div>
          <Title order={2} size="h5">
            {title}
          </Title>
          {note && (
            <Text size="sm" c="dimmed" component="div">
              {note}
            </Text>
          )}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      <div className={flush ? undefined : 'part-body'}>{children}</div>
    </Paper>
  );
}

/** Figures side by side. */
export function Tiles({ children }: { children: ReactNode }) {
  return <dl className="tiles">{children}</dl>;
}

/** One figure with its name and, if any, a remark. */
export function Tile({
  name,
  note,
  children,
}: {
  name: string;
  note?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className="tile">
      <dt>{name}</dt>
      <dd className="figure">{children}</dd>
      {note && <dd className="note">{note}</dd>}
    </div>
  );
}

/** Names and values, a pair a line. */
export function Facts({
  facts,
}: {
  facts: readonly (readonly [name: string, value: ReactNode])[];
}) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
