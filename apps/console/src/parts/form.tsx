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
  children,
}: {
  button: string;
  send: () => void;
  sending: boolean;
  error: Error | null;
  disabled?: boolean;
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
          <Button type="submit" loading={sending} disabled={disabled}>
            {button}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
