import { Table, Text } from '@mantine/core';
import { Fragment, type ReactNode } from 'react';

/** A column: its heading, and what of a row it shows. */
export interface Column<Row> {
  /** Read aloud, and shown unless `hidden`. */
  readonly name: string;
  readonly show: (row: Row) => ReactNode;
  /** `number`: to the right; `mono`: an id or hash; `wrap`: words that may need several lines. */
  readonly kind?: 'number' | 'mono' | 'wrap';
  /** The heading is read aloud alone, as over buttons. */
  readonly hidden?: boolean;
}

/** A cell of two lines, the second one small. */
export function Two({ first, second }: { first: ReactNode; second: ReactNode }) {
  return (
    <>
      {first}
      {second && (
        <Text size="xs" c="dimmed">
          {second}
        </Text>
      )}
    </>
  );
}

/** A table of more columns is a list of cards where the screen is narrow. */
const MOST_NARROW = 3;

/** Rows under headings; what is too wide or too long is scrolled, by the keyboard too. */
export function DataTable<Row>({
  label,
  columns,
  rows,
  keyOf,
  chosen,
  below,
  tall = false,
}: {
  /** What the table has, for those who do not see it. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Key of the row that stands out. */
  chosen?: string | null;
  /** What is opened under a row; null: nothing. */
  below?: (row: Row) => ReactNode;
  /** A long table keeps its headings in sight. */
  tall?: boolean;
}) {
  const classes = ['scroller', tall && 'tall', columns.length > MOST_NARROW && 'stacks'];
  return (
    <div className={classes.filter(Boolean).join(' ')} tabIndex={0} role="group" aria-label={label}>
      <Table role="table" stickyHeader={tall} highlightOnHover={chosen !== undefined}>
        <Table.Thead role="rowgroup">
          <Table.Tr role="row">
            {columns.map(({ name, kind, hidden }) => (
              <Table.Th
                key={name}
                role="columnheader"
                className={kind === 'number' ? kind : undefined}
                aria-label={hidden ? name : undefined}
              >
                {hidden ? null : name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody role="rowgroup">
          {rows.map((row) => {
            const key = keyOf(row);
            const opened = below?.(row);
            return (
              <Fragment key={key}>
                <Table.Tr role="row" data-chosen={key === chosen || undefined}>
                  {columns.map(({ name, kind, show, hidden }) => (
                    <Table.Td
                      key={name}
                      role="cell"
                      className={kind}
                      data-name={hidden ? undefined : name}
                    >
                      {show(row)}
                    </Table.Td>
                  ))}
                </Table.Tr>
                {opened && (
                  <Table.Tr role="row">
                    <Table.Td role="cell" colSpan={columns.length} className="opened">
                      {opened}
                    </Table.Td>
                  </Table.Tr>
                )}
              </Fragment>
            );
          })}
        </Table.Tbody>
      </Table>
    </div>
  );
}
