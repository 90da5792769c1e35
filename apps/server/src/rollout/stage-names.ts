import type { RolloutSpec } from '@espalier/rollout';

/** Which devices each stage takes, in words; the controls' last, where there are any. */
export function stageNames(spec: RolloutSpec): string[] {
  const names = spec.stages.map(({ percent, count, selector }) => {
    if (percent !== undefined) return `${percent} %`;
    if (count !== undefined) return count === 1 ? '1 device' : `${count} devices`;
    return String(selector);
  });
  return spec.control ? [...names, 'controls'] : names;
}
