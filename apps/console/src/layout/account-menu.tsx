import { ActionIcon, Menu, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Icon } from '../parts/icons';
import { sessionQuery, useSession } from '../session/session';

/** Who is signed in, and the way out. */
export function AccountMenu() {
  const { data: account } = useQuery(sessionQuery);
  const { signOut } = useSession();
  if (!account) return null;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={`Account ${account.name}`}>
          {account.name.slice(0, 1).toUpperCase()}
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" component="span" c="var(--mantine-color-text)">
            {account.name}
          </Text>{' '}
          ({account.role})
        </Menu.Label>
        <Menu.Item leftSection={<Icon name="out" />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
