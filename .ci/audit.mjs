/**
 * Runs `npm audit --omit=dev` and fails on what is high or critical. A registry without the endpoint,
 * as mirrors often are, is said and is no failure.
 */
import { spawnSync } from 'node:child_process';

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  encoding: 'utf8',
  timeout: 120_000,
  maxBuffer: 64 * 2 ** 20,
});
const report = parsed(stdout);
if (!report?.metadata?.vulnerabilities) {
  const why = report?.message ?? 'no answer';
  process.stdout.write(
    `npm audit was not possible here: its endpoint does not answer (${why.split(' - ')[0]}).\n`,
  );
} else {
  const { vulnerabilities, metadata } = report;
  for (const { name, severity, range } of Object.values(vulnerabilities)) {
    process.stdout.write(`${severity}: ${name} ${range}\n`);
  }
  const { high, critical } = metadata.vulnerabilities;
  process.stdout.write(`npm audit: ${high} high, ${critical} critical.\n`);
  if (high + critical > 0) process.exitCode = 1;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
