import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';

const readme = readFileSync('README.md', 'utf8');

describe('README.md', () => {
  it('names each setting with its default', () => {
    const settings = JSON.parse(readFileSync('config/settings.json', 'utf8'));
    for (const name of Object.keys(settings)) expect(readme).to.match(new RegExp(`^\\| .*\`${name}\``, 'm'));
    expect(readme).to.include(JSON.stringify(settings.allowed).replace(',', ', '));
    expect(readme).to.include(`\`${settings.host}\`, \`${settings.port}\``);
  });

  it('names the tarball and each program of the package', () => {
    const { version, bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string; bin: object };
    expect(readme).to.include(`npm install ./holdfast-${version}.tgz`);
    for (const [name, path] of Object.entries(bin)) expect(readme).to.include(`| \`npx ${name}\` | \`node ${path}\` |`);
  });

  it('names each exit code', () => {
    for (const code of Object.values(EXIT_CODES)) expect(readme).to.match(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});
