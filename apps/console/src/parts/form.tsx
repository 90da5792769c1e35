import { Button, Group, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { Failed } from './states';

/** Fields, why they were not taken, and the button that sends them. */
export function Form({
  button,
  send,
  sending,
  error,
  disabled = false,
  danger = false,
  beside,
  children,
}: {
  button: string;
  send: () => void;
  sending: boolean;
  error: Error | null;
  disabled?: boolean;
  /** What is sent takes something away. */
  danger?: boolean;
  /** Stands before the button in its row. */
  beside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Stack>
        {children}
        {error && <Failed error={error} />}
        <Group justify="flex-end">
          {beside}
          <Button
            type="submit"
            loading={sending}
            disabled={disabled}
            {...(danger ? { color: 'red.9' } : {})}
          >
            {button}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
