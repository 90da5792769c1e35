import { AppShell, Burger, Group, NavLink, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';
import { Link, useLocation } from 'react-router';
import { useConnected, useLiveUpdates } from '../api/live';
import { Icon, Mark } from '../parts/icons';
import { Told } from '../parts/tone';
import { AccountMenu } from './account-menu';
import { SchemeSwitch } from './scheme-switch';

const PAGES = [
  { to: '/', name: 'Overview', icon: 'overview' },
  { to: '/fleet', name: 'Fleet', icon: 'fleet' },
  { to: '/models', name: 'Models', icon: 'models' },
  { to: '/plan', name: 'Plan', icon: 'plan' },
  { to: '/rollouts', name: 'Rollouts', icon: 'rollouts' },
  { to: '/alerts', name: 'Alerts', icon: 'alerts' },
  { to: '/audit', name: 'Audit', icon: 'audit' },
] as const;

/** The frame of every page: where one is, where one may go, and whether it is live. */
export function Shell({ children }: { children: ReactNode }) {
  const [open, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  const connected = useConnected();
  useLiveUpdates(useQueryClient());
  useEffect(() => {
    close();
    window.scrollTo(0, 0);
  }, [pathname, close]);
  const isHere = (to: string): boolean =>
    to === '/' ? pathname === '/' : pathname === to || pathname.startsWith(`${to}/`);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !open } }}
      padding="md"
    >
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <AppShell.Header className="header">
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={open}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={open ? 'Close the menu' : 'Open the menu'}
            />
            <Link to="/" className="brand">
              <Mark />
              <Text fw={700} size="lg" component="span">
                Espalier
              </Text>
            </Link>
          </Group>
          <Group gap="sm" wrap="nowrap">
            <Text size="sm" component="div" role="status">
              <Told tone={connected ? 'good' : 'bad'}>
                {connected ? 'live' : 'reconnecting'}
                <VisuallyHidden>
                  {connected ? ': changes show by themselves' : ': what is shown may be old'}
                </VisuallyHidden>
              </Told>
            </Text>
            <SchemeSwitch />
            <AccountMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" className="navbar" aria-label="Pages">
        {PAGES.map(({ to, name, icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={name}
            leftSection={<Icon name={icon} />}
            active={isHere(to)}
            aria-current={isHere(to) ? 'page' : undefined}
            onClick={close}
          />
        ))}
        <NavLink
          mt="auto"
          href="/api/docs"
          label="API description"
          rightSection={<Icon name="chevron" size={14} />}
        />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1} className="main">
        <div className="content">{children}</div>
      </AppShell.Main>
    </AppShell>
  );
}
