import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentProcess } from '../../server/test/agent-process.js';
import { mislabelled } from '../../server/test/mislabelled.js';
import { ServerProcess } from '../../server/test/server-process.js';
import { smallFiles } from '../../server/test/small-model.js';

const example = (name: string): Uint8Array =>
  readFileSync(fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url)));

/** Paths of what a model is pushed with. */
export interface ModelFiles {
  readonly name: string;
  readonly model: string;
  readonly calibration: string;
  readonly evaluation: string;
  readonly card: string | null;
}

/** A server with its broker, data on disk, and agents: some see true labels, some wrong ones. */
export class Site {
  private readonly agents: AgentProcess[] = [];

  private constructor(
    readonly server: ServerProcess,
    private readonly folder: string,
    readonly files: ModelFiles,
    private readonly wrong: string,
  ) {}

  /** @param pictures take the example of images, which is slower and looks better */
  static async open(pictures: boolean): Promise<Site> {
    const server = await ServerProcess.start();
    const folder = mkdtempSync(join(tmpdir(), 'espalier-console-'));
    const write = (name: string, content: Uint8Array): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    };
    const small = smallFiles();
    const evaluation = pictures ? example('fashion-evaluation.npz') : small.evaluation;
    const files = {
      name: pictures ? 'fashion' : 'parts',
      model: write('model.onnx', pictures ? example('fashion-mobilenetv2.onnx') : small.model),
      calibration: write(
        'calibration.npz',
        pictures ? example('fashion-calibration.npz') : small.calibration,
      ),
      evaluation: write('evaluation.npz', evaluation),
      card: pictures ? write('card.json', example('fashion-mobilenetv2.json')) : null,
    };
    return new Site(server, folder, files, write('wrong.npz', mislabelled(evaluation)));
  }

  /**
   * Starts an agent that runs on labelled samples; with a claim token, or one of its own. It is there once
   * it has measured itself, which none does beside another.
   */
  async startAgent(
    name: string,
    labels: 'true' | 'wrong',
    claim: { token: string } | { labels: Record<string, string> },
  ): Promise<void> {
    const flags = [
      ...['--input', labels === 'true' ? this.files.evaluation : this.wrong],
      ...['--inference-interval-ms', '10', '--telemetry-interval-ms', '500'],
      '--allow-shadow-samples',
    ];
    this.agents.push(
      'token' in claim
        ? AgentProcess.with(claim.token, this.server, name, flags)
        : await AgentProcess.start(this.server, name, flags, claim.labels),
    );
    await this.server.until<{ devices: { name: string; state: string }[] }>(
      '/api/v1/devices',
      ({ devices }) => devices.some((one) => one.name === name && one.state === 'ready'),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.stop()));
    await this.server.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
