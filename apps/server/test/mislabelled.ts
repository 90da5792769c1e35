import { readNpz, writeNpz } from '@espalier/dataset';

/** The same samples, each with the label of another class: what runs on them seems wrong throughout. */
export function mislabelled(npz: Uint8Array): Uint8Array {
  const arrays = Object.fromEntries(readNpz(npz));
  const { y } = arrays;
  if (!y) throw new Error('The data has no labels.');
  const labels = Array.from(y.data, Number);
  const classes = Math.max(...labels) + 1;
  const data = Int32Array.from(labels, (label) => (label + 1) % classes);
  return writeNpz({ ...arrays, y: { dims: y.dims, dtype: 'int32', data } });
}
