import { activationArena, countModel, graphOf, readModel } from '@espalier/onnx';
import { buildChannelGraph } from './channels/channel-graph.js';
import { prepareModel } from './prepare/index.js';

/** What a model is made of, and what of it can be pruned. */
export interface Inspection {
  readonly bytes: number;
  readonly opset: number;
  readonly inputs: readonly {
    name: string;
    dtype: string;
    shape: readonly (number | string | null)[];
  }[];
  readonly outputs: readonly {
    name: string;
    dtype: string;
    shape: readonly (number | string | null)[];
  }[];
  readonly operators: Readonly<Record<string, number>>;
  readonly params: number;
  readonly macs: number;
  readonly peakRamBytes: number;
  readonly groups: readonly {
    readonly name: string;
    readonly channels: number;
    /** Channels that may go, and units that they go in. */
    readonly prunable: number;
    readonly units: number;
    /** Constants that are sliced with the group. */
    readonly coupled: readonly string[];
    readonly locked: readonly { readonly reason: string; readonly channels: number }[];
  }[];
}

/**
 * Reads a model and says what it costs, which channels are cut together, and what is locked and why.
 * @throws OnnxError when the file is not a model that can be read
 */
export function inspectModel(bytes: Uint8Array): Inspection {
  const model = readModel(bytes);
  const graph = graphOf(model);
  const { params, macs } = countModel(model);
  const channels = buildChannelGraph(prepareModel(model));
  const operators: Record<string, number> = {};
  for (const { op } of graph.nodes) operators[op] = (operators[op] ?? 0) + 1;
  const coupledTo = (roots: ReadonlySet<number>): string[] => [
    ...new Set(
      channels.sites
        .filter(({ ids }) => ids.some((id) => roots.has(channels.rootOf(id))))
        .map(({ tensor }) => tensor),
    ),
  ];
  return {
    bytes: bytes.length,
    opset: model.opset,
    inputs: graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    outputs: graph.outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    operators,
    params,
    macs,
    peakRamBytes: activationArena(model).peakRamBytes,
    groups: channels.groups.map((group) => ({
      name: group.name,
      channels: group.of,
      prunable: group.units.reduce((sum, { positions }) => sum + positions.length, 0),
      units: group.units.length,
      coupled: coupledTo(new Set(group.units.map(({ root }) => root))),
      locked: group.locked,
    })),
  };
}
