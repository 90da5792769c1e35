import { graphOf, type Model } from '@espalier/onnx';

/** Which layers of a model that ONNX Runtime has optimized run on what. */
export interface Fusion {
  /** Layers on integer kernels. */
  readonly integer: number;
  /** Names of Conv, Gemm and MatMul nodes left in float. */
  readonly float: readonly string[];
}

const INTEGER = new Set('QLinearConv QGemm QLinearMatMul MatMulIntegerToFloat'.split(' '));
const FLOAT = new Set('Conv FusedConv ConvTranspose Gemm FusedGemm MatMul FusedMatMul'.split(' '));

/**
 * Counts what became of the layers.
 * @param optimized the file that ONNX Runtime saves of a session (`optimizedModelPath`)
 */
export function fusionOf(optimized: Model): Fusion {
  const { nodes } = graphOf(optimized);
  return {
    integer: nodes.filter(({ op }) => INTEGER.has(op)).length,
    float: nodes.filter(({ op }) => FLOAT.has(op)).map(({ key }) => key),
  };
}
