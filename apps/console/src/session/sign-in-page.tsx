import { Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '../api/client';
import { Mark } from '../parts/icons';
import { Failed } from '../parts/states';
import { useSession } from './session';

/** Who is there? */
export function SignInPage() {
  useDocumentTitle('Sign in · Espalier');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { signIn } = useSession();
  const enter = useMutation({ mutationFn: () => signIn(name.trim(), password) });
  const refused = enter.error instanceof ApiError && [401, 403].includes(enter.error.status);
  return (
    <main className="sign-in">
      <Paper withBorder className="part" p="xl" w="100%" maw={400}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            enter.mutate();
          }}
        >
          <Stack>
            <div>
              <Mark size={40} />
              <Title order={1} size="h2" mt="sm">
                Espalier
              </Title>
              <Text c="dimmed">Train once, fit every device.</Text>
            </div>
            <TextInput
              label="Name"
              autoComplete="username"
              required
              withAsterisk={false}
              autoFocus
              value={name}
              onChange={({ currentTarget }) => setName(currentTarget.value)}
            />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              required
              withAsterisk={false}
              value={password}
              error={refused ? enter.error?.message : null}
              onChange={({ currentTarget }) => setPassword(currentTarget.value)}
            />
            {enter.error && !refused && <Failed error={enter.error} />}
            <Button
              type="submit"
              loading={enter.isPending}
              disabled={name === '' || password === ''}
            >
              Sign in
            </Button>
            <Text size="sm" c="dimmed">
              The first account is <strong>admin</strong>. Its password is in the file{' '}
              <strong>admin-password</strong> in the server’s data folder, unless one was set.
            </Text>
          </Stack>
        </form>
      </Paper>
    </main>
  );
}
