import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Logger } from '@nestjs/common';
import { z } from 'zod';

const BROKER = fileURLToPath(new URL('../../../broker/dist/main.js', import.meta.url));
const FIRST_WAIT_MS = 250;
const LONGEST_START_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 15_000;
const START_TIMEOUT_MS = 15_000;
const STEADY_MS = 30_000;

const listeningSchema = z.object({
  event: z.literal('listening'),
  host: z.string(),
  port: z.number().int(),
});

/** How the broker is to listen and whom to let in. */
export interface BrokerSettings {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files. */
  readonly files: { ca: string; certificate: string; privateKey: string; revoked: string };
  readonly logLevel: string;
}

/** The server's own broker: a child process, started again with growing waits whenever it ends. */
export class BrokerProcess {
  private readonly logger = new Logger('broker');
  private child: ChildProcess | null = null;
  private timer: NodeJS.Timeout | null = null;
  private waitMs = FIRST_WAIT_MS;
  private stopping = false;

  constructor(private settings: BrokerSettings) {}

  /**
   * Starts it and waits until it listens; later starts keep the port.
   * @returns its URL
   */
  async start(): Promise<string> {
    const giveUpAt = Date.now() + START_TIMEOUT_MS;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_START_WAIT_MS)) {
      try {
        const { host, port } = await this.launch();
        this.settings = { ...this.settings, port };
        return `mqtts://${host}:${port}`;
      } catch (cause) {
        // The broker of a server that was just killed may hold the port for a moment.
        if (Date.now() > giveUpAt) throw cause;
        await wait(waitMs);
      }
    }
  }

  /** Process id while it runs. */
  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    if (this.timer) clearTimeout(this.timer);
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => child.kill('SIGKILL'), 3_000);
      child.once('exit', () => {
        clearTimeout(force);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }

  private launch(): Promise<{ host: string; port: number }> {
    const { settings } = this;
    const startedAt = Date.now();
    const child = spawn(process.execPath, [BROKER], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'] ?? '',
        ESPALIER_BROKER_HOST: settings.host,
        ESPALIER_BROKER_PORT: String(settings.port),
        ESPALIER_BROKER_CA_FILE: settings.files.ca,
        ESPALIER_BROKER_CERT_FILE: settings.files.certificate,
        ESPALIER_BROKER_KEY_FILE: settings.files.privateKey,
        ESPALIER_BROKER_REVOKED_FILE: settings.files.revoked,
        ESPALIER_BROKER_LOG_LEVEL: settings.logLevel,
      },
    });
    this.child = child;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`The broker did not listen within ${START_TIMEOUT_MS} ms.`));
      }, START_TIMEOUT_MS);
      let listening = false;
      createInterface({ input: child.stdout }).on('line', (line) => {
        const parsed = listeningSchema.safeParse(parseLine(line));
        if (!parsed.success) return;
        listening = true;
        clearTimeout(late);
        resolve(parsed.data);
      });
      child.once('error', (cause) => {
        clearTimeout(late);
        reject(cause);
      });
      child.once('exit', (code, signal) => {
        clearTimeout(late);
        reject(
          new Error(
            `The broker ended with ${signal ?? `exit code ${String(code)}`}; why is in the line before.`,
          ),
        );
        if (listening && !this.stopping)
          this.again(startedAt, signal ?? `exit code ${String(code)}`);
      });
    });
  }

  private again(startedAt: number, how: string): void {
    if (Date.now() - startedAt > STEADY_MS) this.waitMs = FIRST_WAIT_MS;
    this.logger.warn({ msg: 'the broker ended; it is started again', how, waitMs: this.waitMs });
    this.timer = setTimeout(() => {
      const launchedAt = Date.now();
      this.launch().catch((cause: unknown) => {
        this.logger.error(cause);
        if (!this.stopping) this.again(launchedAt, 'a failed start');
      });
    }, this.waitMs);
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
