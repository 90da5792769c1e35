import type { Node } from '@espalier/onnx';

/** Channel ids along one axis of a tensor: position `p` of `axis` carries `ids[p]`. */
export interface AxisIds {
  readonly axis: number;
  readonly ids: Int32Array;
}

/** A constant that is sliced along `axis` when channels go. */
export interface ParameterSite {
  readonly tensor: string;
  readonly axis: number;
  readonly ids: Int32Array;
}

/** What must be rewritten, besides slicing constants, when channels go. */
export type Rewrite =
  /** A depthwise Conv or ConvTranspose: `group` is the number of input channels kept. */
  | { readonly kind: 'group'; readonly node: Node; readonly ids: Int32Array }
  /** A Split along the channel axis: each part's size is what it keeps. */
  | { readonly kind: 'split'; readonly node: Node; readonly parts: readonly Int32Array[] }
  /** A Slice along the channel axis: the range is counted over what is kept before it. */
  | {
      readonly kind: 'slice';
      readonly node: Node;
      readonly ids: Int32Array;
      readonly start: number;
      readonly end: number;
      readonly entry: number;
    }
  /** One entry of a constant integer input (a Reshape's shape, a Resize's sizes) counts channels. */
  | {
      readonly kind: 'entry';
      readonly node: Node;
      readonly input: number;
      readonly entry: number;
      readonly ids: Int32Array;
    }
  /** A Gather with constant indices along the channel axis. */
  | {
      readonly kind: 'gather';
      readonly node: Node;
      readonly ids: Int32Array;
      readonly picked: Int32Array;
    };

/** A layer whose weights mix input channels: what a cut of its inputs can be refitted on. */
export interface LinearLayer {
  readonly node: Node;
  readonly kind: 'conv' | 'conv-transpose' | 'gemm' | 'matmul';
  readonly input: string;
  readonly output: string;
  readonly weight: string;
  readonly bias: string | undefined;
  readonly group: number;
  /** One group a channel: outputs are tied to inputs, and `group` falls with them. */
  readonly depthwise: boolean;
  /** Ids on the weight's input axis (for group > 1, those of the first group); undefined: not cut. */
  readonly inputIds: Int32Array | undefined;
  readonly outputIds: Int32Array;
  /** Multiply-accumulates for each weight element, at batch 1. */
  readonly positions: number;
}
