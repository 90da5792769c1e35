import { buildModel, floatTensor, openSession } from '@espalier/onnx';

const model = buildModel({
  inputs: [{ name: 'x', shape: [1] }],
  outputs: [{ name: 'y' }],
  nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }],
  initializers: {},
});
const session = await openSession(model);
const { y } = await session.run({ x: floatTensor([1], [2]) }, ['y']);
await session.release();
process.exitCode = y?.data[0] === -2 ? 0 : 1;
