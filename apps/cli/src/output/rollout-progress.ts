import progress from 'cli-progress';
import type { Rollout } from '../api/rollouts.js';
import { bytes } from './figures.js';

/** Shows a rollout as it goes on. */
export interface RolloutProgress {
  update(rollout: Rollout): void;
  /** Leaves what is shown, and the cursor, in order. */
  stop(): void;
}

/** Devices that have a bar of their own; of a larger rollout the stages have. */
const MOST_BARS = 16;

interface Row {
  readonly key: string;
  readonly name: string;
  readonly done: number;
  readonly total: number;
  readonly status: string;
}

/**
 * Bars on a terminal, one a device or, with many devices, one a stage; elsewhere a line for each
 * change.
 * @param artifactBytes what is to be sent of each variant
 * @param nameOf what people call a device
 */
export function showRollout(
  stream: NodeJS.WriteStream,
  artifactBytes: ReadonlyMap<string, number>,
  nameOf: (deviceId: string) => string = (deviceId) => deviceId,
): RolloutProgress {
  const rowsOf = (rollout: Rollout): Row[] =>
    rollout.devices.length > MOST_BARS
      ? stageRows(rollout)
      : deviceRows(rollout, artifactBytes, nameOf);
  return stream.isTTY
    ? rolloutBars(stream, rowsOf)
    : rolloutLines((line) => void stream.write(`${line}\n`), rowsOf);
}

function rolloutBars(
  stream: NodeJS.WriteStream,
  rowsOf: (rollout: Rollout) => Row[],
): RolloutProgress {
  const bars = new progress.MultiBar(
    { stream, hideCursor: true, format: '{name} {bar} {amount}  {status}', barsize: 28 },
    progress.Presets.shades_classic,
  );
  const shown = new Map<string, progress.SingleBar>();
  return {
    update(rollout) {
      const rows = rowsOf(rollout);
      const width = Math.max(...rows.map(({ name }) => name.length));
      for (const row of rows) {
        const payload = {
          name: row.name.padEnd(width),
          amount: amountText(row, rollout).padStart(19),
          status: row.status,
        };
        const bar = shown.get(row.key);
        if (bar) bar.update(row.done, payload);
        else shown.set(row.key, bars.create(Math.max(row.total, 1), row.done, payload));
      }
    },
    stop: () => bars.stop(),
  };
}

/** A line whenever a row's status is another one. */
export function rolloutLines(
  write: (line: string) => void,
  rowsOf: (rollout: Rollout) => Row[],
): RolloutProgress {
  const told = new Map<string, string>();
  return {
    update(rollout) {
      for (const row of rowsOf(rollout)) {
        if (told.get(row.key) === row.status) continue;
        told.set(row.key, row.status);
        write(`${row.name}: ${row.status}, ${amountText(row, rollout)}`);
      }
    },
    stop: () => undefined,
  };
}

const amountText = ({ done, total }: Row, { devices }: Rollout): string =>
  devices.length > MOST_BARS ? `${done}/${total}` : `${bytes(done)} / ${bytes(total)}`;

function deviceRows(
  { devices }: Rollout,
  artifactBytes: ReadonlyMap<string, number>,
  nameOf: (deviceId: string) => string,
): Row[] {
  return devices.map(({ deviceId, variantId, stage, status, sentBytes, failure }) => ({
    key: deviceId,
    name: `stage ${stage + 1}  ${nameOf(deviceId)}`,
    done: sentBytes,
    total: artifactBytes.get(variantId) ?? sentBytes,
    status: failure ? `${status}: ${failure.code}` : status,
  }));
}

function stageRows({ stages }: Rollout): Row[] {
  return stages.map(({ name, devices, counts }, at) => {
    const waiting = (counts['waiting'] ?? 0) + (counts['control'] ?? 0);
    const atWork = (counts['sent'] ?? 0) + (counts['working'] ?? 0) + (counts['backoff'] ?? 0);
    const told = Object.entries(counts).filter(([, some]) => some > 0);
    return {
      key: String(at),
      name: `stage ${at + 1}, ${name}`,
      done: devices - waiting - atWork,
      total: devices,
      status: told.map(([status, some]) => `${some} ${status}`).join(', '),
    };
  });
}
