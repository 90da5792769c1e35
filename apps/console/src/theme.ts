import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const leaf: MantineColorsTuple = [
  '#e8f7f1',
  '#d0ece1',
  '#a5dcc6',
  '#77cbaa',
  '#4cc29c',
  '#2a9d7c',
  '#17795e',
  '#136650',
  '#0f5241',
  '#0b3e31',
];

const dark: MantineColorsTuple = [
  '#e8eeeb',
  '#c9d3ce',
  '#a8b6b0',
  '#7d8c86',
  '#3d4a45',
  '#2b3531',
  '#1b2320',
  '#131917',
  '#0e1311',
  '#090c0b',
];

/** The colours of the compression reports; system fonts, so that nothing is fetched from elsewhere. */
export const theme = createTheme({
  primaryColor: 'leaf',
  primaryShade: 6,
  colors: { leaf, dark },
  defaultRadius: 'md',
  respectReducedMotion: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  headings: { fontWeight: '650' },
  cursorType: 'pointer',
});

/** Softer texts that still reach the contrast that small print needs, and a page behind the cards. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#55625d',
    '--mantine-color-text': '#1c2421',
    '--mantine-color-placeholder': '#66736e',
    '--mantine-color-error': '#b3261e',
    '--page': '#f4f7f5',
    '--rule': '#dfe6e2',
    '--track': '#e3ebe7',
    '--good': '#17795e',
    '--busy': '#1f6fb2',
    '--wait': '#8a6100',
    '--bad': '#b3261e',
    '--idle': '#67756f',
  },
  dark: {
    '--mantine-color-dimmed': '#a8b6b0',
    '--mantine-color-placeholder': '#8e9c96',
    '--mantine-color-error': '#ff8a80',
    '--page': '#0e1311',
    '--rule': '#2b3531',
    '--track': '#2b3531',
    '--good': '#4cc29c',
    '--busy': '#6cb6f5',
    '--wait': '#e2b04a',
    '--bad': '#ff8a80',
    '--idle': '#93a19b',
  },
});
