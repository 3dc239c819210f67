// Installs the programs of others that tests talk to, each by its own package manager, into a folder outside the
// repository; what is there is not installed again. Others (mosquitto, RabbitMQ) come from the system's packages.
//   node test/peers/install.js brokers|clients

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { peerFolder } from './folder.js';

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });

/** A Maven artifact with all that it needs, as jar files. */
function jars(group, artifact, version) {
  return (folder) => {
    const coordinates = (groupId, artifactId, version) =>
      `<groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>`;
    const dependency = `<dependency>${coordinates(group, artifact, version)}</dependency>`;
    const project =
      `<modelVersion>4.0.0</modelVersion>${coordinates('atoll', 'peers', 1)}` +
      `<dependencies>${dependency}</dependencies>`;
    writeFileSync(
      path.join(folder, 'pom.xml'),
      `<project xmlns="http://maven.apache.org/POM/4.0.0">${project}</project>\n`,
    );
    run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], { cwd: folder });
  };
}

/** Packages of PyPI in a virtual environment. */
function python(...packages) {
  return (folder) => {
    run('python3', ['-m', 'venv', folder]);
    run(path.join(folder, 'bin', 'pip'), ['install', '--quiet', ...packages]);
  };
}

const installers = {
  brokers: {
    hivemq: jars('com.hivemq', 'hivemq-community-edition-embedded', '2025.5'),
    moquette: jars('io.moquette', 'moquette-broker', '0.17'),
    mochi: (folder) =>
      run('go', ['install', 'github.com/mochi-mqtt/server/v2/cmd@v2.7.9'], { env: { ...process.env, GOBIN: folder } }),
    amqtt: python('amqtt==0.12.1'),
  },
  clients: {
    'smp-clients': python('smpmgr==0.19.1', 'mcumgr-toolkit==0.20.0'),
    // Without Bluetooth, which needs D-Bus to build.
    mcumgrctl: (folder) =>
      run('cargo', ['install', '--quiet', 'mcumgrctl@0.20.0', '--locked', '--no-default-features', '--root', folder]),
  },
};

const kinds = installers[process.argv[2]];
if (kinds === undefined) {
  console.error(`name what to install: ${Object.keys(installers).join(' or ')}`);
  process.exit(2);
}
let failed = 0;
for (const [name, install] of Object.entries(kinds)) {
  const folder = path.join(peerFolder, name);
  const done = path.join(folder, 'installed');
  if (existsSync(done)) continue;
  const start = performance.now();
  mkdirSync(folder, { recursive: true });
  try {
    install(folder);
    writeFileSync(done, '');
    console.log(`${name}: installed in ${Math.round((performance.now() - start) / 1000)} s`);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    console.error(`${name}: not installed: ${error.message}`);
    failed += 1;
  }
}
process.exit(process.env.ATOLL_REQUIRE_TOOLS === '1' && failed > 0 ? 1 : 0);
