import type { Tone } from './tone';

/** Shares of a whole, each in the colour of its tone; the words stand beside it. */
export function Bar({
  parts,
}: {
  parts: readonly { readonly tone: Tone; readonly share: number }[];
}) {
  return (
    <span className="bar" aria-hidden="true">
      {parts.map(({ tone, share }, at) => (
        <i key={`${tone}${String(at)}`} className={tone} style={{ width: `${100 * share}%` }} />
      ))}
    </span>
  );
}
