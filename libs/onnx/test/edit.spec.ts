/** @jest-environment ./libs/onnx/test/ort-environment.mjs */
import { readFileSync } from 'node:fs';
import {
  attrInts,
  buildModel,
  edit,
  floatTensor,
  graphOf,
  openSession,
  readModel,
  writeModel,
  type Model,
} from '../src/index.js';
import { EXAMPLE } from './models.js';

function weights(...dims: number[]) {
  return floatTensor(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5));
}

const network = (): Model =>
  buildModel({
    inputs: [{ name: 'x', shape: ['N', 3, 8, 8] }],
    initializers: { w1: weights(4, 3, 3, 3), w2: weights(2, 4, 1, 1), spare: weights(1) },
    nodes: [
      { op: 'Conv', name: 'first', inputs: ['x', 'w1'], outputs: ['a'] },
      { op: 'Relu', name: 'act', inputs: ['a'], outputs: ['b'] },
      { op: 'Conv', name: 'second', inputs: ['b', 'w2'], outputs: ['y'] },
      { op: 'Sigmoid', name: 'dead', inputs: ['b'], outputs: ['unused'] },
    ],
    outputs: [{ name: 'y', shape: ['N', 2, 6, 6] }],
  });

async function outputsOf(model: Model): Promise<Record<string, readonly number[]>> {
  const session = await openSession(model);
  try {
    const results = await session.run({ x: weights(2, 3, 8, 8) });
    return Object.fromEntries(Object.entries(results).map(([name, { dims }]) => [name, dims]));
  } finally {
    await session.release();
  }
}

describe('edit', () => {
  it('never changes the model it began from', () => {
    const model = readModel(readFileSync(EXAMPLE));
    const before = Buffer.from(writeModel(model));
    const { nodes } = graphOf(model);
    const editor = edit(model);
    for (const node of nodes.filter(({ op }) => op === 'Conv')) {
      editor.setAttribute(node, 'strides', { ints: [1, 1] });
      editor.replaceInput(node, 0, 'image');
      editor.setInitializer(node.inputs[1]!, weights(1, 1, 1, 1));
    }
    editor.renameUses('image', 'other').setOutputs([]).clearValueInfo();
    expect(Buffer.compare(writeModel(model), before)).toBe(0);
  });

  it('leaves the bytes alone when nothing is edited', () => {
    const bytes = readFileSync(EXAMPLE);
    expect(Buffer.compare(writeModel(edit(readModel(bytes)).done()), bytes)).toBe(0);
  });

  it('makes narrower layers that ONNX Runtime runs, with declared shapes that agree', async () => {
    const model = edit(network()).addOutput('a', 'float32', ['N', 4, 6, 6]).done();
    const edited = edit(model)
      .setInitializer('w1', weights(3, 3, 3, 3))
      .setInitializer('w2', weights(5, 3, 1, 1))
      .done();
    expect(graphOf(edited).outputs.map(({ shape }) => shape)).toEqual([
      ['N', 5, 6, 6],
      ['N', 3, 6, 6],
    ]);
    expect(await outputsOf(edited)).toEqual({ y: [2, 5, 6, 6], a: [2, 3, 6, 6] });
  });

  it('inserts a node between others, wherever it was added', async () => {
    const model = network();
    const editor = edit(model);
    const name = editor.freshName('b');
    expect(name).not.toBe('b');
    const added = editor.addNode({ op: 'Tanh', inputs: ['b'], outputs: [name] });
    editor.renameUses('b', name, { except: [added] });
    const edited = editor.done();
    const ops = edited.graph.node.map(({ opType }) => opType);
    expect(ops.indexOf('Tanh')).toBeLessThan(ops.lastIndexOf('Conv'));
    expect(graphOf(edited).producer(name)?.inputs).toEqual(['b']);
    expect(await outputsOf(edited)).toEqual({ y: [2, 2, 6, 6] });
  });

  it('removes a layer and what only it needed', () => {
    const model = network();
    const graph = graphOf(model);
    const edited = edit(model)
      .removeNode(graph.producer('b')!)
      .renameUses('b', 'a')
      .removeUnused()
      .done();
    expect(edited.graph.node.map(({ name }) => name)).toEqual(['first', 'second']);
    expect(edited.graph.initializer.map(({ name }) => name)).toEqual(['w1', 'w2']);
  });

  it('sets, replaces and removes attributes', () => {
    const model = network();
    const first = graphOf(model).producer('a')!;
    const padded = edit(model)
      .setAttribute(first, 'pads', { ints: [1, 1, 1, 1] })
      .done();
    const again = graphOf(padded).producer('a')!;
    expect(attrInts(again, 'pads')).toEqual([1, 1, 1, 1]);
    expect(graphOf(padded).outputs[0]?.shape).toEqual(['N', 2, 8, 8]);
    const plain = edit(padded).setAttribute(again, 'pads', undefined).done();
    expect(attrInts(graphOf(plain).producer('a')!, 'pads')).toBeUndefined();
  });

  it('refuses a new node that would read itself', () => {
    const editor = edit(network());
    editor.addNode({ op: 'Neg', inputs: ['b'], outputs: ['minus'] });
    expect(() => editor.renameUses('b', 'minus').done()).toThrow(/cycle/);
  });

  it('can move a graph output to another value', () => {
    const editor = edit(network());
    const added = editor.addNode({ op: 'Neg', inputs: ['y'], outputs: ['minus'] });
    const edited = editor.renameUses('y', 'minus', { outputs: true, except: [added] }).done();
    expect(graphOf(edited).outputs.map(({ name }) => name)).toEqual(['minus']);
  });

  it('refuses a node of another model and an unsound result', () => {
    const node = graphOf(network()).nodes[0]!;
    expect(() => edit(network()).removeNode(node)).toThrow(/not part of the graph/);
    const model = network();
    expect(() => edit(model).removeNode(graphOf(model).producer('a')!).done()).toThrow(
      /reads "a", which nothing defines/,
    );
  });
});
