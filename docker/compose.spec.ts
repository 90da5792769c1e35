import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { agentCommand } from '../apps/agent/src/options.js';
import { environmentSchema as ofBroker } from '../apps/broker/src/configuration.js';
import {
  environmentSchema as ofServer,
  parseConfiguration,
} from '../apps/server/src/configuration.js';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const isThere = (path: string): boolean => existsSync(join(ROOT, path));

const packageAt = (
  folder: string,
): { engines?: { node: string }; scripts?: Record<string, string> } =>
  JSON.parse(read(join(folder, 'package.json'))) as never;

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

/** Variables of the example, filled in as Compose does. */
const given = new Map(
  read('docker/example.env')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);
const filled = read('docker/compose.yml').replace(
  /\$\{(\w+):([-?])([^}]*)\}/g,
  (_, name: string, kind: string, other: string) => {
    expect([name, given.has(name)]).toEqual([name, true]);
    return given.get(name) || (kind === '-' ? other : '');
  },
);
const compose = parse(filled, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const dockerfiles = readdirSync(join(ROOT, 'docker')).filter((name) =>
  name.endsWith('.Dockerfile'),
);

describe('the set-up in docker/compose.yml', () => {
  it.each(services)('%s is made of files, volumes and services that are there', (_, service) => {
    for (const volume of service.volumes ?? []) {
      const [from = ''] = volume.split(':');
      const found = from.startsWith('.') ? isThere(join('docker', from)) : from in compose.volumes;
      expect([from, found]).toEqual([from, true]);
    }
    for (const name of Object.keys(service.depends_on ?? {})) {
      expect(Object.keys(compose.services)).toContain(name);
    }
    if (!service.build) return;
    expect(isThere(service.build.dockerfile)).toBe(true);
    expect(isThere(join('docker', service.build.context, 'package.json'))).toBe(true);
  });

  it.each(services.filter(([name]) => name.startsWith('server')))(
    '%s is configured as a server reads it',
    (_, { environment = {} }) => {
      expect(Object.keys(ofServer.shape)).toEqual(expect.arrayContaining(Object.keys(environment)));
      expect(parseConfiguration(environment)).toMatchObject({
        database: { kind: 'postgresql' },
        brokerUrl: 'mqtts://mosquitto:8883',
      });
    },
  );

  it('has two servers that share database, keys, models and broker', () => {
    const [first, second] = services.filter(([name]) => name.startsWith('server'));
    expect(first?.[1].environment).toEqual(second?.[1].environment);
    expect(first?.[1].volumes).toEqual(second?.[1].volumes);
  });

  it('starts the agent as it can be started', () => {
    const { command = [], environment = {} } = compose.services['agent'] ?? { image: '' };
    const known = agentCommand().options.map(({ envVar }) => envVar);
    expect(known).toEqual(expect.arrayContaining(Object.keys(environment)));
    const agent = agentCommand();
    agent.parse(
      ['--server', String(environment['ESPALIER_SERVER']), ...entryOptions(), ...command],
      {
        from: 'user',
      },
    );
    expect(agent.opts()).toMatchObject({ stateDir: '/state', name: 'example' });
  });
});

/** What the agent's image adds to every command. */
function entryOptions(): string[] {
  const [, list = '[]'] = /^ENTRYPOINT (\[.*\])$/m.exec(read('docker/agent.Dockerfile')) ?? [];
  return (JSON.parse(list) as string[]).slice(1);
}

describe.each(dockerfiles)('%s', (name) => {
  const text = read(`docker/${name}`);

  it('runs as somebody who is not root', () => {
    expect(text.split(/^FROM /m).at(-1)).toMatch(/^USER node$/m);
  });

  it('copies and runs what is there', () => {
    const copied = [...text.matchAll(/^COPY --from=build \/src\/(\S+) /gm)].map(([, path]) => path);
    const run = [...text.matchAll(/(?:\/app\/|")((?:apps|docker)\/[\w./-]+)/g)]
      .map(([, path]) => path ?? '')
      .map((path) => path.replace(/\/dist\/(.*)\.js$/, '/src/$1.ts'));
    for (const path of [...copied, ...run])
      expect([path, isThere(String(path))]).toEqual([path, true]);
  });

  it('is built by scripts that are there, on the Node that they ask for', () => {
    const { engines } = packageAt('.');
    const majors = [...text.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => major);
    const [, least] = /^>=(\d+)/.exec(engines?.node ?? '') ?? [];
    expect([...new Set(majors)]).toEqual([least]);
    for (const [, script = '', , workspace = '.'] of text.matchAll(
      /npm run ([\w-]+)( -w (\S+))?/g,
    )) {
      expect([script, Object.keys(packageAt(workspace).scripts ?? {})]).toEqual([
        script,
        expect.arrayContaining([script]),
      ]);
    }
  });

  it('sets variables that are read', () => {
    const known = [...Object.keys(ofServer.shape), ...Object.keys(ofBroker.shape), 'NODE_ENV'];
    const [, list = ''] = /^ENV (.*)$/m.exec(text) ?? [];
    expect(known).toEqual(
      expect.arrayContaining(list.split(' ').map((pair) => pair.split('=', 1)[0])),
    );
  });
});

describe('docker/espalier-agent.service', () => {
  it('starts the agent where the how-to puts it', () => {
    const [, line = ''] = /^ExecStart=(.*)$/m.exec(read('docker/espalier-agent.service')) ?? [];
    const [program = '', ...options] = line.split(' ');
    expect(read('docs/how-to/own-device.md')).toContain(program.replace('/bin/espalier-agent', ''));
    const flags = agentCommand().options.map(({ long }) => long);
    expect(flags).toEqual(expect.arrayContaining(options.filter((one) => one.startsWith('--'))));
  });
});
