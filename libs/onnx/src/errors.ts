/** What went wrong with a model; stable, so that callers may branch on it. */
export type OnnxErrorCode =
  | 'ONNX_CORRUPT'
  | 'ONNX_UNSUPPORTED_OPSET'
  | 'ONNX_UNSUPPORTED_TYPE'
  | 'ONNX_TOO_LARGE'
  | 'ONNX_EXTERNAL_DATA'
  | 'ONNX_INVALID_GRAPH'
  | 'ONNX_SHAPE'
  | 'ONNX_EDIT'
  | 'ONNX_RUNTIME';

/** An error of this library: the message says what was wrong, where, and what to do. */
export class OnnxError extends Error {
  constructor(
    readonly code: OnnxErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'OnnxError';
  }
}
