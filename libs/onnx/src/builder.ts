import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
} from 'onnx-buf';
import { encodeAttribute } from './attribute.js';
import type { DType } from './dtype.js';
import type { NewNode } from './edit.js';
import { modelOf, type Model } from './model.js';
import { encodeTensor, type Tensor } from './tensor.js';
import { encodeValueInfo, type Dim } from './value-info.js';

export interface NewValue {
  readonly name: string;
  /** float32 by default. */
  readonly dtype?: DType;
  /** Left out, the rank stays open. */
  readonly shape?: readonly Dim[];
}

export interface NewModel {
  /** Of the default domain; 17 by default. */
  readonly opset?: number;
  readonly inputs: readonly NewValue[];
  readonly outputs: readonly NewValue[];
  readonly nodes: readonly NewNode[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
  readonly name?: string;
}

/** Make a model from parts. @throws OnnxError ONNX_INVALID_GRAPH, ONNX_SHAPE, ONNX_EDIT */
export function buildModel(spec: NewModel): Model {
  const opset = spec.opset ?? 17;
  const domains = new Set(spec.nodes.map(({ domain }) => domain ?? '').filter((d) => d !== ''));
  return modelOf(
    create(ModelProtoSchema, {
      irVersion: opset >= 23 ? 11n : opset >= 15 ? 8n : 7n,
      producerName: 'espalier',
      opsetImport: [
        create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) }),
        ...[...domains].map((domain) => create(OperatorSetIdProtoSchema, { domain, version: 1n })),
      ],
      graph: create(GraphProtoSchema, {
        name: spec.name ?? 'graph',
        input: spec.inputs.map((v) => encodeValueInfo(v.name, v.dtype ?? 'float32', v.shape)),
        output: spec.outputs.map((v) => encodeValueInfo(v.name, v.dtype ?? 'float32', v.shape)),
        initializer: Object.entries(spec.initializers ?? {}).map(([name, tensor]) =>
          encodeTensor(name, tensor),
        ),
        node: spec.nodes.map((node, index) =>
          create(NodeProtoSchema, {
            name: node.name ?? `${node.op}_${index}`,
            opType: node.op,
            domain: node.domain ?? '',
            input: [...node.inputs],
            output: [...node.outputs],
            attribute: Object.entries(node.attributes ?? {}).map(([name, value]) =>
              encodeAttribute(name, value),
            ),
          }),
        ),
      }),
    }),
  );
}
