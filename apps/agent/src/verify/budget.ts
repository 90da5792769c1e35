import type { Failure, Variant } from '@espalier/protocol';

/** What the device may spend, in bytes; undefined: no limit. */
export interface Resources {
  readonly memoryLimitBytes?: number | undefined;
  readonly storageLimitBytes?: number | undefined;
  /** Free bytes of the file system that holds the state directory. */
  readonly freeBytes: number;
  /** Bytes of the model that stays as the way back; 0: none. */
  readonly keptModelBytes: number;
  /** Bytes that a former, unfinished download of the same artifact holds already. */
  readonly partBytes: number;
}

/**
 * Bytes that an install takes beside the model that is kept: the artifact as it is received, and the
 * model that it becomes.
 */
export const installBytes = ({ artifact, model }: Variant): number =>
  artifact.length + model.length;

/** Why a variant does not fit the device, or null. */
export function overBudget(variant: Variant, resources: Resources): Failure | null {
  const { memoryLimitBytes, storageLimitBytes, freeBytes, keptModelBytes, partBytes } = resources;
  const needed = installBytes(variant);
  if (storageLimitBytes !== undefined && keptModelBytes + needed > storageLimitBytes) {
    return {
      code: 'TARGET_STORAGE',
      message: `The install needs ${needed} bytes beside the ${keptModelBytes} of the variant that is kept; the storage limit is ${storageLimitBytes}.`,
    };
  }
  if (needed > freeBytes + partBytes) {
    return {
      code: 'TARGET_STORAGE',
      message: `The install needs ${needed} bytes; ${freeBytes + partBytes} are free.`,
    };
  }
  if (memoryLimitBytes !== undefined && variant.peakRamBytes > memoryLimitBytes) {
    return {
      code: 'TARGET_MEMORY',
      message: `The variant needs ${variant.peakRamBytes} bytes of memory; the limit is ${memoryLimitBytes}.`,
    };
  }
  return null;
}
