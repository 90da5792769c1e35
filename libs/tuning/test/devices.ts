import { buildModel, floatTensor, type Model } from '@espalier/onnx';
import { KERNELS, type Profile } from '@espalier/protocol';
import { type Candidate, describeCandidate } from '../src/index.js';

const MIB = 2 ** 20;
/** A made-up device has no costs beyond those of its layers. */
const LAYERS = KERNELS.filter(({ op }) => op !== 'network');

/** What a made-up device takes for its kernels, and what it has. */
export interface DeviceTraits {
  /** Nanoseconds for calling an operator, a multiply-accumulate, and a byte of data. */
  readonly callNs?: number;
  readonly macNs?: number;
  readonly byteNs?: number;
  /** Time of an int8 multiply-accumulate over one in float. */
  readonly int8?: number;
  /** Overhead of a second thread for each call, nanoseconds, and what is left of the rest. */
  readonly threaded?: { readonly callNs: number; readonly share: number };
  readonly ramMib?: number;
  readonly storageMib?: number;
}

/** A profile as a device of such traits would measure it, exactly. */
export function profileWith(traits: DeviceTraits = {}): Profile {
  const { callNs = 500, macNs = 0.05, byteNs = 0.1, int8 = 0.5 } = traits;
  const { ramMib = 512, storageMib = 1024, threaded } = traits;
  const kernels = LAYERS.flatMap(({ id, precisions, cin, cout, size, width, kernel, group, op }) =>
    precisions.flatMap((precision) => {
      const weighted = op === 'conv' || op === 'gemm' || op === 'block';
      const macs = weighted ? (cin / group) * cout * kernel ** 2 * size * width : 0;
      const bytes = (cin + cout) * size * width * (precision === 'int8' ? 1 : 4);
      const work = macs * macNs * (precision === 'int8' ? int8 : 1) + bytes * byteNs;
      const time = (threads: number, ns: number) => ({
        ...{ id, precision, threads, medianMs: ns * 1e-6, spread: 0.02, runs: 100 },
      });
      return [
        time(1, callNs + work),
        ...(threaded ? [time(2, callNs + threaded.callNs + threaded.share * work)] : []),
      ];
    }),
  );
  return {
    schemaVersion: 3,
    measuredAt: '2026-01-01T00:00:00.000Z',
    agentVersion: '0.1.0',
    runtime: { name: 'onnxruntime-node', version: '1.30.0', convBlock: 16 },
    cpu: {
      ...{ model: 'made up', arch: 'x64', cores: threaded ? 2 : 1, isa: ['avx512f'] },
      ...{ frequencyMHz: null, temperatureC: null, cacheBytes: 8 * MIB },
    },
    memory: {
      ...{ totalBytes: 4096 * MIB, limitBytes: ramMib * MIB, limitedBy: 'cgroup' },
      ...{ freeBytes: ramMib * MIB, runtimeBytes: 64 * MIB },
    },
    storage: {
      ...{ freeBytes: storageMib * MIB, limitBytes: storageMib * MIB, limitedBy: 'machine' },
    },
    emulatedSlowdown: null,
    callOverheadMs: (threaded ? [1, 2] : [1]).map((threads) => ({ threads, ms: 0.01 })),
    kernels,
    measuringSeconds: 8,
  };
}

/** A small convolutional network of a width. */
export function network(width: number): Model {
  const shapes = [
    [width, 16, 3, 3],
    [2 * width, width, 1, 1],
    [2 * width, 2 * width, 3, 3],
  ];
  return buildModel({
    inputs: [{ name: 'x', shape: [1, 16, 16, 16] }],
    outputs: [{ name: 'a2', shape: [1, 2 * width, 16, 16] }],
    initializers: Object.fromEntries(
      shapes.map((dims, at) => {
        const count = dims.reduce((product, dim) => product * dim, 1);
        return [`w${at}`, floatTensor(dims, new Float32Array(count).fill(0.01))];
      }),
    ),
    nodes: shapes.flatMap(([, , kernel = 1], at) => [
      {
        op: 'Conv',
        inputs: [at === 0 ? 'x' : `a${at - 1}`, `w${at}`],
        outputs: [`c${at}`],
        attributes: {
          kernel_shape: { ints: [kernel, kernel] },
          pads: { ints: Array.from({ length: 4 }, () => kernel >> 1) },
        },
      },
      { op: 'Relu', inputs: [`c${at}`], outputs: [`a${at}`] },
    ]),
  });
}

/** Candidates of several widths in both precisions, the wider ones more accurate. */
export function candidatesOf(widths: readonly number[]): Candidate[] {
  return widths.flatMap((width) =>
    (['fp32', 'int8'] as const).map((precision): Candidate => {
      const costs = describeCandidate(network(width), precision);
      return {
        id: `${precision}-${width}`,
        ...{ precision, costs, fidelity: null },
        accuracy: 0.95 - 2 / width - (precision === 'int8' ? 0.004 : 0),
        artifactBytes: costs.weightBytes,
        modelBytes: costs.weightBytes,
        peakRamBytes: costs.weightBytes + costs.arenaBytes,
      };
    }),
  );
}
