export {
  artifactParts,
  decodeArtifact,
  encodeArtifact,
  ENCODINGS,
  type ArtifactEncoding,
  type ArtifactLimits,
  type EncodedArtifact,
} from './artifact.js';
export { ArtifactError, type ArtifactErrorCode } from './errors.js';
export { ELEMENT_TYPES, type ElementType, type Segment } from './sparse/segment.js';
