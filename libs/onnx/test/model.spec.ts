import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  TensorProto_DataLocation,
  type ModelProto,
} from 'onnx-buf';
import {
  activationArena,
  buildModel,
  countModel,
  edit,
  floatTensor,
  foldConstants,
  graphOf,
  inferShapes,
  OnnxError,
  readModel,
  writeModel,
  type Model,
} from '../src/index.js';
import { namesExternalData } from '../src/external-data.js';
import { EXAMPLE, realModels } from './models.js';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof OnnxError) return error.code;
    throw error;
  }
  return 'none';
}

const small = buildModel({
  inputs: [{ name: 'x', shape: ['N', 2] }],
  initializers: { w: floatTensor([2, 2], [1, 2, 3, 4]) },
  nodes: [
    { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
    { op: 'Relu', inputs: ['h'], outputs: ['y'] },
  ],
  outputs: [{ name: 'y', shape: ['N', 2] }],
});

/** The bytes of the small model after a change. */
function changed(change: (proto: ModelProto, graph: NonNullable<ModelProto['graph']>) => void) {
  const { proto, graph } = readModel(writeModel(small));
  change(proto, graph);
  return toBinary(ModelProtoSchema, proto);
}

describe('readModel and writeModel', () => {
  it.each(realModels().map(({ name, bytes }) => [name, bytes] as const))(
    'give back the bytes of %s',
    (_, bytes) => {
      expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0);
    },
  );

  it('keep fields and domains that they do not know', () => {
    const bytes = changed((proto, graph) => {
      proto.metadataProps.push(
        create(StringStringEntryProtoSchema, { key: 'team', value: 'edge' }),
      );
      graph.node[1]!.domain = 'org.example';
      graph.node[1]!.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(7) }];
    });
    expect(writeModel(readModel(bytes))).toEqual(bytes);
    const edited = edit(readModel(bytes))
      .setInitializer('w', floatTensor([2, 2], [0, 0, 0, 0]))
      .done();
    expect(edited.proto.metadataProps[0]?.value).toBe('edge');
    expect(edited.graph.node[1]?.$unknown).toHaveLength(1);
  });

  it('decode tensors that lie unaligned in the file', () => {
    const bytes = writeModel(small);
    for (let shift = 0; shift < 4; shift++) {
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      const graph = graphOf(readModel(moved.subarray(shift)));
      expect(graph.initializers.get('w')?.data).toEqual(Float32Array.of(1, 2, 3, 4));
    }
  });

  it('decode typed data fields as well as raw bytes', () => {
    const bytes = changed((_, graph) => {
      graph.initializer = [
        create(TensorProtoSchema, {
          name: 'w',
          dataType: 1,
          dims: [2n, 2n],
          floatData: [1, 2, 3, 4],
        }),
        create(TensorProtoSchema, { name: 'i', dataType: 7, dims: [2n], int64Data: [-5n, 6n] }),
        create(TensorProtoSchema, { name: 'half', dataType: 10, dims: [1n], int32Data: [0x3c00] }),
        create(TensorProtoSchema, {
          name: 's',
          dataType: 8,
          dims: [1n],
          stringData: [Uint8Array.of(65)],
        }),
      ];
    });
    const graph = graphOf(readModel(bytes));
    const { initializers } = graph;
    expect(initializers.get('w')?.data).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(initializers.get('i')?.data).toEqual(BigInt64Array.of(-5n, 6n));
    expect(initializers.get('half')?.data).toEqual(Uint16Array.of(0x3c00));
    expect(initializers.has('s')).toBe(false);
    expect(graph.isInitializer('s')).toBe(true);
  });

  it('accept nodes in any order that can be sorted', () => {
    const model = readModel(changed((_, graph) => graph.node.reverse()));
    expect(graphOf(model).nodes.map((node) => node.op)).toEqual(['MatMul', 'Relu']);
  });

  it.each<[string, string, Parameters<typeof changed>[0]]>([
    [
      'a file without a graph',
      'ONNX_CORRUPT',
      (proto) => delete (proto as Partial<ModelProto>).graph,
    ],
    ['opset 8', 'ONNX_UNSUPPORTED_OPSET', (proto) => (proto.opsetImport[0]!.version = 8n)],
    ['opset 27', 'ONNX_UNSUPPORTED_OPSET', (proto) => (proto.opsetImport[0]!.version = 27n)],
    ['no opset', 'ONNX_UNSUPPORTED_OPSET', (proto) => (proto.opsetImport = [])],
    ['a name defined twice', 'ONNX_INVALID_GRAPH', (_, g) => (g.node[1]!.output = ['h'])],
    ['an undefined input', 'ONNX_INVALID_GRAPH', (_, g) => (g.node[1]!.input = ['nowhere'])],
    ['an undefined output', 'ONNX_INVALID_GRAPH', (_, g) => (g.output[0]!.name = 'nowhere')],
    ['a cycle', 'ONNX_INVALID_GRAPH', (_, g) => (g.node[0]!.input = ['y', 'w'])],
    ['weights that are too short', 'ONNX_CORRUPT', (_, g) => (g.initializer[0]!.dims = [2n, 3n])],
    ['a negative dimension', 'ONNX_CORRUPT', (_, g) => (g.initializer[0]!.dims = [-2n, -2n])],
    ['an unknown element type', 'ONNX_CORRUPT', (_, g) => (g.initializer[0]!.dataType = 99)],
    [
      'weights in another file',
      'ONNX_EXTERNAL_DATA',
      (_, g) => {
        g.initializer[0]!.dataLocation = TensorProto_DataLocation.EXTERNAL;
        g.initializer[0]!.externalData = [
          create(StringStringEntryProtoSchema, { key: 'location', value: '/etc/passwd' }),
        ];
      },
    ],
  ])('refuse %s', (_, code, change) => {
    expect(codeOf(() => readModel(changed(change)))).toBe(code);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['text', new TextEncoder().encode('not a model at all')],
    ['zeros', new Uint8Array(1000)],
  ])('refuse %s', (_, bytes) => {
    expect(codeOf(() => readModel(bytes))).toBe('ONNX_CORRUPT');
  });

  it('refuse more bytes than allowed', () => {
    expect(codeOf(() => readModel(writeModel(small), { maxBytes: 10 }))).toBe('ONNX_TOO_LARGE');
  });
});

describe('a hostile file', () => {
  const example = readFileSync(EXAMPLE);

  /** Everything that the library does with a model; only coded errors may come out. */
  function exercise(bytes: Uint8Array): string {
    return codeOf(() => {
      const model = readModel(bytes);
      countModel(model);
      activationArena(model);
      writeModel(foldConstants(model));
    });
  }

  it('is answered with a coded error when truncated or overwritten', () => {
    const heap = process.memoryUsage().rss;
    const truncated = fc.nat(example.length - 1).map((length) => example.subarray(0, length));
    const structure = example.length - 2000;
    const overwritten = fc
      .array(
        fc.tuple(
          fc.oneof(fc.nat(6000), fc.integer({ min: structure, max: example.length - 1 })),
          fc.integer({ min: 0, max: 255 }),
        ),
        { minLength: 1, maxLength: 12 },
      )
      .map((changes) => {
        const copy = Uint8Array.from(example);
        for (const [at, byte] of changes) copy[at] = byte;
        return copy;
      });
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.oneof(truncated, overwritten), (bytes) => {
        seen.add(exercise(bytes));
      }),
      { seed: 7, numRuns: 300 },
    );
    expect([...seen].every((code) => code === 'none' || code.startsWith('ONNX_'))).toBe(true);
    expect(seen.size).toBeGreaterThan(1);
    expect(process.memoryUsage().rss - heap).toBeLessThan(2 ** 30);
  });

  /** A protobuf field of bytes. */
  function field(number: number, content: Uint8Array): Uint8Array {
    const varint = (value: number): number[] =>
      value > 127 ? [(value & 127) | 128, ...varint(value >>> 7)] : [value];
    const head = [...varint((number << 3) | 2), ...varint(content.length)];
    return Uint8Array.from(Buffer.concat([Uint8Array.from(head), content]));
  }

  it('cannot make two bytes cost a node each without bound', () => {
    const nodes = new Uint8Array(20 * 2 ** 20);
    for (let at = 0; at < nodes.length; at += 2) nodes[at] = (1 << 3) | 2;
    expect(codeOf(() => readModel(field(7, nodes)))).toBe('ONNX_TOO_LARGE');
  });

  it('cannot make a packed list of integers cost more than its bytes without bound', () => {
    const node = field(5, field(8, new Uint8Array(20 * 2 ** 20)));
    expect(codeOf(() => readModel(field(7, field(1, node))))).toBe('ONNX_TOO_LARGE');
  });

  it('cannot make small constants grow into large ones without bound', () => {
    const doubling = Array.from({ length: 40 }, (_, index) => ({
      op: 'Concat',
      inputs: [`v${index}`, `v${index}`],
      outputs: [`v${index + 1}`],
      attributes: { axis: { int: 0 } },
    }));
    const model = buildModel({
      inputs: [{ name: 'x', shape: [1] }],
      initializers: { v0: floatTensor([1], [1]) },
      nodes: [...doubling, { op: 'Add', inputs: ['x', 'v40'], outputs: ['y'] }],
      outputs: [{ name: 'y' }],
    });
    expect(foldConstants(model).graph.node.length).toBeGreaterThan(20);
  });

  it('cannot make a byte cost a big integer each without bound', () => {
    const tensor = field(7, new Uint8Array(20 * 2 ** 20));
    expect(codeOf(() => readModel(field(7, field(5, tensor))))).toBe('ONNX_TOO_LARGE');
  });

  it('cannot keep weights in another file wherever they stand', () => {
    const tensor = field(13, field(1, new TextEncoder().encode('location')));
    const sound = writeModel(small);
    const places: [string, Uint8Array][] = [
      ['an initialiser', field(7, field(5, tensor))],
      ['a sparse one', field(7, field(15, field(1, tensor)))],
      ['an attribute', field(7, field(1, field(5, field(5, tensor))))],
      ['a subgraph', field(7, field(1, field(5, field(6, field(5, tensor)))))],
      ['a function', field(25, field(7, field(5, field(5, tensor))))],
      ['training', field(20, field(1, field(5, tensor)))],
    ];
    for (const [place, bytes] of places) {
      const file = Buffer.concat([sound, bytes]);
      expect({ place, found: namesExternalData(file) }).toEqual({ place, found: true });
      expect(codeOf(() => readModel(file))).toMatch(/^ONNX_/);
    }
    expect(codeOf(() => readModel(Buffer.concat([sound, places[4]![1]])))).toBe(
      'ONNX_EXTERNAL_DATA',
    );
    expect(namesExternalData(sound)).toBe(false);
  });

  it('cannot ask for a shape of a thousand million dimensions', () => {
    for (const op of ['ConstantOfShape', 'Reshape']) {
      const inputs = op === 'Reshape' ? ['x', 's'] : ['s'];
      const model = buildModel({
        inputs: [
          { name: 'x', shape: [4] },
          { name: 's', shape: [10 ** 9], dtype: 'int64' },
        ],
        nodes: [{ op, inputs, outputs: ['y'] }],
        outputs: [{ name: 'y' }],
      });
      expect(inferShapes(model).get('y')?.dims).toBeNull();
    }
  });

  it('cannot overflow the stack by nesting', () => {
    let graph: Uint8Array = new Uint8Array(0);
    for (let depth = 0; depth < 2000; depth++) graph = field(1, field(5, field(6, graph)));
    expect(codeOf(() => readModel(field(7, graph)))).toBe('ONNX_CORRUPT');
  });
});

describe('Graph', () => {
  const branch = create(GraphProtoSchema, {
    name: 'branch',
    node: [create(NodeProtoSchema, { opType: 'Relu', input: ['h'], output: ['inner'] })],
    output: [{ name: 'inner' }],
  });
  const model: Model = readModel(
    changed((_, graph) => {
      const attribute = { name: 'then_branch', type: 5, g: branch };
      graph.node.push(
        create(NodeProtoSchema, {
          opType: 'If',
          input: ['c'],
          output: ['z'],
          attribute: [attribute],
        }),
      );
      graph.initializer.push(
        create(TensorProtoSchema, { name: 'c', dataType: 9, rawData: Uint8Array.of(1) }),
      );
    }),
  );

  it('knows what its subgraphs take from it', () => {
    const graph = graphOf(model);
    const conditional = graph.producer('z')!;
    expect(conditional.hasSubgraph).toBe(true);
    expect(conditional.captures).toEqual(['h']);
    expect(graph.usedInSubgraph('h')).toBe(true);
    expect(graph.consumers('h').map((node) => node.op)).toEqual(['Relu', 'If']);
  });

  it('keeps a node alive that only a subgraph reads', () => {
    const edited = edit(model).setOutputs(['z']).removeUnused().done();
    expect(edited.graph.node.map((node) => node.opType)).toEqual(['MatMul', 'If']);
  });

  it('renames uses inside subgraphs', () => {
    const editor = edit(model);
    const added = editor.addNode({ op: 'Sigmoid', inputs: ['h'], outputs: ['s'] });
    const edited = editor.renameUses('h', 's', { except: [added] }).done();
    expect(graphOf(edited).producer('z')?.captures).toEqual(['s']);
    expect(graphOf(model).producer('z')?.captures).toEqual(['h']);
  });
});
