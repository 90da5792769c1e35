import { SegmentedControl } from '@mantine/core';

/** How far back, in seconds. */
export const SPANS = { hour: 3_600, day: 86_400, week: 604_800 } as const;
export type Span = keyof typeof SPANS;

const NAMES: Readonly<Record<Span, string>> = { hour: 'Hour', day: 'Day', week: 'Week' };

/** Which time is looked at; a page may have others before these. */
export function SpanSwitch<Other extends string = never>({
  value,
  change,
  others = [],
}: {
  value: Span | Other;
  change: (value: Span | Other) => void;
  others?: readonly { readonly value: Other; readonly label: string }[];
}) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="Over which time"
      value={value}
      onChange={(chosen) => change(chosen as Span | Other)}
      data={[...others, ...Object.entries(NAMES).map(([span, label]) => ({ value: span, label }))]}
    />
  );
}
