import { Modal } from '@mantine/core';
import type { ReactNode } from 'react';

/** A question or a form over the page. */
export function Dialog({
  title,
  opened,
  close,
  size = 'md',
  children,
}: {
  title: string;
  opened: boolean;
  close: () => void;
  size?: 'md' | 'lg';
  children: ReactNode;
}) {
  return (
    <Modal
      {...{ title, opened, size }}
      onClose={close}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {children}
    </Modal>
  );
}
