/** One run of the table: a model, the data it is fitted and judged on, and what is asked. */
export interface Row {
  readonly model: string;
  readonly data: string;
  /** As on the command line, without the dashes. */
  readonly goal: string;
  readonly precision: 'fp32' | 'int8';
  /** Most points of 100 that it may lose, as issue 4 of the project sets it. */
  readonly mostDrop: number;
}

const row = (
  model: string,
  data: string,
  goal: string,
  precision: Row['precision'],
  mostDrop: number,
): Row => ({ model, data, goal, precision, mostDrop });

export const ROWS: readonly Row[] = [
  row('mbv2-cifar10', 'cifar10', 'macs-ratio 0.72', 'fp32', 1),
  row('mbv2-cifar10', 'cifar10', 'macs-ratio 0.5', 'fp32', 4),
  row('mbv2-cifar10', 'cifar10', 'precision int8', 'int8', 0.5),
  row('mbv2-cifar10', 'cifar10', 'macs-ratio 0.72', 'int8', 1.5),
  row('mbv2-cifar10', 'cifar10', 'sparsity 0.5', 'int8', 1),
  row('resnet8-cifar10', 'cifar10', 'macs-ratio 0.85', 'fp32', 2.5),
  row('resnet8-cifar10', 'cifar10', 'macs-ratio 0.72', 'fp32', 6.5),
  row('dscnn-kws', 'kws', 'macs-ratio 0.8', 'fp32', 2),
  row('dscnn-kws', 'kws', 'precision int8', 'int8', 2),
];

/** What of the row goes onto the command line of `espalier compress`. */
export function argumentsOf({ goal, precision }: Row): string[] {
  const [name = '', target = ''] = goal.split(' ');
  return name === 'precision'
    ? ['--precision', precision]
    : [`--${name}`, target, '--precision', precision];
}
