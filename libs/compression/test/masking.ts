import { edit, floatTensor, graphOf, type Model } from '@espalier/onnx';
import type { ChannelGraph } from '../src/channels/channel-graph.js';
import type { RemovedUnits } from '../src/channels/cut.js';

/** The dense model with removed channels set to zero wherever a layer reads them. */
export function maskChannels(channels: ChannelGraph, removed: RemovedUnits): Model {
  const editor = edit(channels.model);
  const graph = graphOf(channels.model);
  channels.layers.forEach((layer, at) => {
    const labels = channels.labels.get(layer.input);
    if (!labels || layer.depthwise) return;
    const rank = layer.kind === 'conv' || layer.kind === 'conv-transpose' ? 4 : 2;
    const dims = Array.from({ length: rank }, (_, axis) =>
      axis === labels.axis ? labels.ids.length : 1,
    );
    const mask = Float32Array.from(labels.ids, (id) => (removed.has(channels.rootOf(id)) ? 0 : 1));
    editor.setInitializer(`mask_${at}`, floatTensor(dims, mask));
    const node = graph.producer(layer.output);
    if (!node) return;
    editor.addNode(
      { op: 'Mul', inputs: [layer.input, `mask_${at}`], outputs: [`masked_${at}`] },
      { before: node },
    );
    editor.replaceInput(node, 0, `masked_${at}`);
  });
  return editor.done();
}
