/** Bounds that both ends enforce, in bytes unless the name says otherwise. */
export const LIMITS = {
  /** Largest JSON control message. */
  controlMessageBytes: 256 * 1024,
  /** Deepest nesting of arrays and objects in a control message or a signed document. */
  jsonDepth: 32,
  /** Most former roots that a target message carries for a device that was away. */
  formerRoots: 16,
  /** Largest payload of one chunk. */
  chunkBytes: 64 * 1024,
  /** Most chunks in one artifact: 4 GiB at the largest chunk. */
  chunksPerArtifact: 65_536,
  /** Most variants in one release. */
  variantsPerRelease: 64,
  /** Most chunk indices a device may ask for in one `need`. */
  chunksPerNeed: 256,
  /** Longest sketch of a telemetry window, in base64 characters. */
  sketchCharacters: 4096,
  /** Largest packed input of a shadow sample; in base64 it fits a control message. */
  shadowPackedBytes: 184 * 1024,
  /** Most values in the input of a shadow sample. */
  shadowInputValues: 4 * 1024 * 1024,
  /** Most output values that a shadow sample carries; of more, so many evenly spaced ones. */
  shadowOutputValues: 1024,
  /** Most labels on a device. */
  labelsPerDevice: 32,
} as const;
