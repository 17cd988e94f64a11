import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { validate } from 'dockerfile-utils';
import { parseAllDocuments } from 'yaml';
import { planListeners } from '../../lib/cli/listeners.ts';
import { readServerArguments } from '../../lib/cli/server.ts';
import { completeSettings } from '../../lib/cli/settings.ts';
import { VERSION } from '../../lib/server/version.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import { MonitoredServer } from '../http/monitored-server.ts';
import { folderForEachTest } from '../server/clean-up.ts';

const dockerfile = readFileSync('Dockerfile', 'utf8');
const { port, http } = completeSettings({}, 'the defaults');
/** Where the server listens for HTTP in the container. */
const HTTP_URL = `http://127.0.0.1:${http.port}/`;

/** What follows an instruction of the last stage, as JSON or text. */
function instruction(name: string): string {
  return new RegExp(`^${name} (.*)$`, 'm').exec(dockerfile.slice(dockerfile.lastIndexOf('\nFROM ')))?.[1] ?? '';
}

describe('the Dockerfile', () => {
  folderForEachTest();

  it('pleases a linter', () => {
    expect(validate(dockerfile).map(({ range, message }) => `${range.start.line + 1}: ${message}`)).to.deep.equal([]);
  });

  it('has the ports of the server, and a user without rights', () => {
    expect(instruction('EXPOSE')).to.equal(`${port} ${http.port}`);
    expect(instruction('USER')).to.equal('node');
  });

  it('asks a server whether it lives', async () => {
    const command = /^HEALTHCHECK [\s\S]*?CMD (\[.*\])$/m.exec(dockerfile)?.[1] as string;
    expect(command).to.include(HTTP_URL);
    const [program = '', ...args] = JSON.parse(command) as string[];
    const { url } = await MonitoredServer.start();
    const codeFor = async (place: string): Promise<number | null> =>
      (
        await new SystemProgram(
          program,
          args.map((arg) => arg.replace(HTTP_URL, place)),
        ).exit
      ).code;
    expect(await codeFor(`${url.replace(/\/$/, '')}/`)).to.equal(0);
    expect(await codeFor('http://127.0.0.1:1/')).to.equal(1);
  });
});

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly startupProbe: Probe;
  readonly volumeMounts: readonly { readonly mountPath: string }[];
}

/** What the tests read of the resources of the manifest. */
interface Resource {
  readonly kind: string;
  readonly data: { readonly 'settings.json': string };
  readonly spec: {
    readonly replicas: number;
    readonly publishNotReadyAddresses: boolean;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: object;
        readonly containers: readonly [Container];
      };
    };
    readonly volumeClaimTemplates: readonly [{ readonly spec: { readonly accessModes: readonly string[] } }];
  };
}

describe('examples/kubernetes/holdfast.yaml', () => {
  const folder = folderForEachTest();
  const documents = parseAllDocuments(readFileSync('examples/kubernetes/holdfast.yaml', 'utf8'));

  it('is YAML, with one resource of each kind', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).to.deep.equal([]);
    expect(documents.map((each) => (each.toJS() as Resource).kind)).to.deep.equal([
      'ConfigMap',
      'Service',
      'StatefulSet',
    ]);
  });

  it('has one server, one pod for its volume, and clients that reach it before it is ready', () => {
    const { replicas, volumeClaimTemplates } = resource('StatefulSet').spec;
    expect(replicas).to.equal(1);
    expect(volumeClaimTemplates[0].spec.accessModes).to.deep.equal(['ReadWriteOncePod']);
    expect(resource('Service').spec.publishNotReadyAddresses).to.equal(true);
  });

  it('starts the server with settings that it takes, at the ports of the container and of the service', () => {
    const settings = readSettings();
    expect(planListeners(settings)).to.have.lengthOf(1);
    expect(container().ports).to.deep.equal([
      { name: 'locks', containerPort: settings.port },
      { name: 'http', containerPort: settings.http.port },
    ]);
    expect(resource('Service').spec.ports).to.deep.equal([
      { name: 'locks', port: settings.port, targetPort: 'locks' },
      { name: 'http', port: settings.http.port, targetPort: 'http' },
    ]);
    expect(container().image).to.match(new RegExp(`:${VERSION.replaceAll('.', '\\.')}$`));
  });

  it('keeps the state on its volume, and waits longer for the end than the server does', () => {
    const settings = readSettings();
    expect(settings.stateDirectory).to.equal(`${instruction('VOLUME')}/state`);
    expect(container().volumeMounts.map(({ mountPath }) => mountPath)).to.include(instruction('VOLUME'));
    const { terminationGracePeriodSeconds } = resource('StatefulSet').spec.template.spec;
    expect(terminationGracePeriodSeconds).to.be.above(settings.drainSeconds);
  });

  it('asks where a server answers', async () => {
    const { livenessProbe, readinessProbe, startupProbe } = container();
    const server = await MonitoredServer.start();
    for (const { httpGet } of [livenessProbe, readinessProbe, startupProbe]) {
      expect(httpGet.port).to.equal('http');
      expect((await fetch(new URL(httpGet.path, server.url))).status, httpGet.path).to.equal(200);
    }
    expect([livenessProbe.httpGet.path, readinessProbe.httpGet.path]).to.deep.equal(['/livez', '/readyz']);
  });

  function resource(kind: string): Resource {
    return documents.map((each) => each.toJS() as Resource).find((each) => each.kind === kind) as Resource;
  }

  function container(): Container {
    return resource('StatefulSet').spec.template.spec.containers[0];
  }

  /** The settings that the server has with the arguments of the image and of the manifest. */
  function readSettings(): ReturnType<typeof readServerArguments> {
    const [, , ...ofImage] = JSON.parse(instruction('ENTRYPOINT')) as string[];
    const given = JSON.parse(resource('ConfigMap').data['settings.json']) as object;
    const file = folder.writeSettings(given);
    const args = container().args.map((arg) => arg.replace('/etc/holdfast/settings.json', file));
    return readServerArguments([...ofImage, ...args]);
  }
});
