import { rootSchema, type Hello, type Root, type Telemetry } from '@espalier/protocol';
import { seededRandom } from '@espalier/dataset';
import { DeviceLink, type Login } from '@espalier/link';
import { payloadBytes, privateKeyPem } from '@espalier/trust';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { enrol } from './enrol/enrolment.js';
import type { Identity } from './enrol/identity.js';
import { Renewal } from './enrol/renewal.js';
import { AgentError } from './errors.js';
import { Incumbent } from './install/incumbent.js';
import { Installer } from './install/installer.js';
import { Loader } from './install/loader.js';
import { Progress } from './install/progress.js';
import { SlotFiles } from './install/slots.js';
import { Greeting } from './link/greeting.js';
import { collectGarbage } from './lean.js';
import { ServerMessages } from './link/server-messages.js';
import type { AgentOptions } from './options.js';
import { Courier } from './report/courier.js';
import { Outbox } from './report/outbox.js';
import { DisturbedWatch } from './profile/disturbed-watch.js';
import { ThermalWatch } from './profile/thermal-watch.js';
import { ProfileKeeper } from './report/profile-keeper.js';
import { reportBody, runningOf } from './report/reporter.js';
import { FeedbackDrop } from './run/feedback-drop.js';
import { FeedbackServer, type TakeFeedback } from './run/feedback.js';
import { ModelWorker, WorkerCallError } from './run/model-worker.js';
import { Serving } from './run/serving.js';
import { ShadowSpool } from './shadow/shadow-spool.js';
import { Shadowing } from './shadow/shadowing.js';
import { StateStore } from './store/agent-state.js';
import { lockState } from './store/state-lock.js';
import { AGENT_VERSION } from './version.js';

/** An agent that runs. */
export interface RunningAgent {
  stop(): Promise<void>;
}

/** Within it the log's last line is written. */
const LAST_WORDS_MS = 500;

/**
 * Starts an agent: enrols if need be, measures the device, loads what it ran before, connects.
 * @throws AgentError, TrustError when it cannot start at all
 */
export async function startAgent(options: AgentOptions, log: Logger): Promise<RunningAgent> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  await lockState(options.stateDir);
  const identity = await enrol(options, log);
  const { deviceId, key } = identity;
  const state = StateStore.open(options.stateDir, identity.firstRoot);
  countRestart(state, log);

  const worker = new ModelWorker(
    { inputPath: options.inputPath, emulatedSlowdown: options.emulatedSlowdown },
    {
      limitMs: options.callLimitMs,
      lost(reason) {
        log.error({ reason }, 'the inference worker broke down');
        installer.workerLost();
      },
      overdue(call) {
        log.fatal({ call }, 'the model does not come back; the agent ends, to be started anew');
        // An exit would wait for the thread that hangs. All that matters is on the disk, but for the log.
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_WORDS_MS);
      },
    },
  );
  await checkInput(worker, options);

  const outbox = Outbox.open(join(options.stateDir, 'outbox'));
  const profiles = profileKeeper(options);
  const bootId = randomUUID();
  const epoch = (): number => state.value.epoch;

  const link = new DeviceLink(
    { deviceId, login: () => loginOf(identity), keepaliveS: options.keepaliveS },
    {
      connected: () => {
        greeting.start();
        courier.resume();
        shadowing.forget();
        samples.resume();
        installer.connected();
      },
      disconnected: () => {
        greeting.stop();
        installer.disconnected();
      },
      message: (kind, payload) => messages.take(kind, payload),
    },
    log,
  );
  const courier = new Courier(outbox, link, log);
  const samples = new ShadowSpool(options.stateDir, link, epoch, log);
  const shadowing = new Shadowing(
    options.shadowBytesPerDay,
    samples,
    {
      steadyMs: () => performance.now(),
      wallMs: () => Date.now(),
      random: seededRandom(randomInt(2 ** 32)),
    },
    log,
  );
  const greeting = new Greeting(() => link.send('hello', hello(), epoch()), Math.random);

  const files = new SlotFiles(options.stateDir);
  const serving = new Serving(
    worker,
    {
      hasInput: options.inputPath !== null,
      inferenceIntervalMs: options.inferenceIntervalMs,
      telemetryIntervalMs: options.telemetryIntervalMs,
      emulatedSlowdown: options.emulatedSlowdown,
      restarts: state.value.restarts - 1,
    },
    shadowing,
    reportWindow,
    log,
  );
  const progress = new Progress(state, report, log);
  const loader = new Loader(state, files, worker, options.watchdogMs, log);
  const incumbent = new Incumbent(state, files, loader, serving, progress, log);
  const installer: Installer = new Installer({
    deviceId,
    trustedRoot: () => rootOf(state),
    state,
    files,
    downloadDir: join(options.stateDir, 'download'),
    incumbent,
    progress,
    limits: { memoryBytes: options.memoryLimitBytes, storageBytes: options.storageLimitBytes },
    ask: (need) => link.ready && link.send('need', need, epoch()) !== '',
    listenToContent: (sha256) => link.listenToContent(sha256),
    report,
    rests: collectGarbage,
    log,
  });

  const messages = new ServerMessages(
    {
      epoch,
      chunk: (payload) => installer.chunk(payload),
      target: (message) => installer.offer(message),
      ack: ({ of }) => {
        greeting.acknowledged(of);
        courier.acknowledged(of);
        samples.acknowledged(of);
      },
      shadow: (order) => shadowing.take(order),
      measure: ({ reason }) => {
        log.info({ reason }, 'measuring again');
        measureAgain();
      },
    },
    greeting,
    log,
  );

  /** Its message has an id before it is kept where it has labels from files, so that they go with it once. */
  function reportWindow(telemetry: Telemetry): void {
    if (!drop) return courier.post('telemetry', telemetry, epoch());
    const id = randomUUID();
    try {
      drop.settle(id, () => courier.keep('telemetry', id, telemetry, epoch()));
    } catch (error) {
      log.error({ err: error }, 'a window cannot be kept; its labels go with a later one');
    }
  }

  function report(): void {
    const { install } = state.value;
    if (!install) return;
    const { receivedBytes } = installer;
    const { running } = incumbent;
    const context = { deviceId, key, running, receivedBytes, at: new Date() };
    courier.post('report', reportBody(install, context), epoch());
  }

  function hello(): Hello {
    return {
      agentVersion: AGENT_VERSION,
      bootId,
      generation: state.value.generation,
      running: runningOf(incumbent.running),
      profileSha256: profiles.sha256,
    };
  }

  const disturbedWatch = new DisturbedWatch(() => {
    log.info('the machine was busy while it was measured; measuring again');
    measureAgain();
  });
  let isToMeasure = false;

  /** Measures once what serves can be stopped; a second wish meanwhile is the same one. */
  function measureAgain(): void {
    if (isToMeasure) return;
    isToMeasure = true;
    void installer.undisturbed(measure).finally(() => (isToMeasure = false));
  }

  async function measure(): Promise<void> {
    try {
      const profile = await profiles.measure();
      log.info({ seconds: profile.measuringSeconds }, 'device measured');
      disturbedWatch.measured(profile.disturbed ?? 0);
      courier.post('profile', { profile }, epoch());
    } catch (error) {
      log.error({ err: error }, 'the device could not be measured');
    }
  }

  const takeFeedback: TakeFeedback = (sha256, counts) => serving.feedback(sha256, counts);
  const { feedbackPort, feedbackDir } = options;
  const drop =
    feedbackDir === null
      ? null
      : new FeedbackDrop(feedbackDir, takeFeedback, (id) => outbox.has(id), log);
  const feedback =
    feedbackPort === null ? null : await FeedbackServer.listen(feedbackPort, takeFeedback);
  const thermal = new ThermalWatch(
    () => profiles.profile?.cpu.temperatureC ?? null,
    () => {
      log.info('the temperature changed; measuring again');
      measureAgain();
    },
  );

  const renewal = new Renewal(identity, options.server, () => rootOf(state), Math.random, log);

  if (!profiles.profile) await measure();
  thermal.start();
  await installer.start();
  drop?.start();
  report();
  renewal.start();
  link.start();
  return {
    async stop() {
      renewal.stop();
      thermal.stop();
      disturbedWatch.stop();
      greeting.stop();
      drop?.stop();
      await feedback?.stop();
      await installer.stop();
      await shadowing.settled();
      courier.stop();
      samples.stop();
      await link.stop();
      await worker.stop();
    },
  };
}

function profileKeeper(options: AgentOptions): ProfileKeeper {
  const { stateDir, memoryLimitBytes, storageLimitBytes, emulatedSlowdown, quickProfile } = options;
  return new ProfileKeeper({
    stateDir,
    quick: quickProfile,
    ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
    ...(storageLimitBytes === undefined ? {} : { storageLimitBytes }),
    ...(emulatedSlowdown === null ? {} : { emulatedSlowdown }),
  });
}

function countRestart(state: StateStore, log: Logger): void {
  try {
    state.change({ restarts: state.value.restarts + 1 });
  } catch (error) {
    log.error({ err: error }, 'the start cannot be counted');
  }
}

/** An input that cannot be read is a mistake in the command, not in a model. */
async function checkInput(worker: ModelWorker, { inputPath }: AgentOptions): Promise<void> {
  if (inputPath === null) return;
  try {
    await worker.call('open', null);
  } catch (error) {
    if (!(error instanceof WorkerCallError)) throw error;
    throw new AgentError('AGENT_OPTIONS', `--input ${inputPath}: ${error.message}`, {
      cause: error,
    });
  }
}

const loginOf = ({ membership, key }: Identity): Login => ({
  brokerUrl: membership.brokerUrl,
  authorities: membership.authorities,
  certificate: membership.certificate,
  privateKey: privateKeyPem(key),
});

/** The trusted root, which was verified before it was kept. */
const rootOf = (state: StateStore): Root =>
  rootSchema.parse(JSON.parse(Buffer.from(payloadBytes(state.value.root)).toString('utf8')));
