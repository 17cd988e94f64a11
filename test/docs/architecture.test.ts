import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'chai';

const FOLDERS = [
  'locks',
  'wire',
  'message',
  'transports',
  'sessions',
  'ledger',
  'server',
  'foreign',
  'cluster',
  'http',
  'client',
];

describe('docs/architecture.md', () => {
  const document = readFileSync('docs/architecture.md', 'utf8');

  for (const folder of FOLDERS) {
    it(`names each file of lib/${folder}, and no other`, () => {
      const [, description = ''] = document.split(`\nlib/${folder}/ `);
      const [section = ''] = description.split(/\n(?! )/);
      const named = new Set(section.match(/[\w-]+\.ts\b/g));
      const files = readdirSync(`lib/${folder}`, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.ts'))
        .map((path) => basename(path));
      expect([...named]).to.have.members(files);
    });
  }
});
