import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { completionFor, SHELLS } from '../../../lib/cli/holdfast/completion.ts';
import { makeProgram } from '../../../lib/cli/holdfast/program.ts';
import { needs } from '../../foreign/system-program.ts';
import { endTest, makeFolder } from '../../server/clean-up.ts';
import { Terminal } from './terminal.ts';

const program = makeProgram(() => {});

/** What bash offers for the last of these words. */
function offeredByBash(...words: readonly string[]): readonly string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionFor('bash', program)}
COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
}

describe('the completion of holdfast', () => {
  afterEach(endTest);

  it('names each command and each option, for each shell', () => {
    for (const shell of SHELLS) {
      const script = completionFor(shell, program);
      for (const { name, options } of program.commands.map((each) => ({ name: each.name(), options: each.options }))) {
        expect(script, shell).to.include(name);
        for (const { long } of options) expect(script, shell).to.include((long ?? '').replace('--', ''));
      }
    }
  });

  it('offers in bash commands, options, their values, and behind -- programs', function () {
    needs(this, 'bash');
    expect(offeredByBash('holdfast', 'wh')).to.have.members(['why', 'who']);
    expect(offeredByBash('holdfast', '--server', 'a:1', 'run', '--kill')).to.deep.equal(['--kill-after']);
    expect(offeredByBash('holdfast', 'ls', '--so')).to.deep.equal(['--sort']);
    expect(offeredByBash('holdfast', 'ls', '--sort', '')).to.have.members(['name', 'age', 'waiters']);
    expect(offeredByBash('holdfast', 'check', '--config', 'package.j')).to.deep.equal(['package.json']);
    expect(offeredByBash('holdfast', 'completion', '')).to.include.members([...SHELLS]);
    expect(offeredByBash('holdfast', 'run', 'jobs', '--', 'tru')).to.include('true');
  });

  it('offers the same in fish', function () {
    needs(this, 'fish');
    const lines = [
      'wh',
      '--server a:1 run --kill',
      'ls --so',
      'ls --sort ',
      'check --config package.j',
      'run jobs -- tru',
    ];
    const asked = lines.map((line) => `complete -C 'holdfast ${line}'; echo`).join('\n');
    const script = `${completionFor('fish', program)}\n${asked}`;
    // It keeps a history and settings there.
    const environment = { ...process.env, HOME: makeFolder() };
    const output = execFileSync('fish', ['--no-config', '-c', script], { encoding: 'utf8', env: environment });
    const offers = output.split('\n\n').map((offer) => offer.split('\n').map((each) => each.split('\t')[0]));
    expect(offers.slice(0, 5)).to.deep.equal([
      ['who', 'why'],
      ['--kill-after'],
      ['--sort'],
      ['age', 'name', 'waiters'],
      ['package.json'],
    ]);
    expect(offers[5]).to.include('true');
  });

  it('completes the same in zsh, at a terminal', async function () {
    needs(this, 'zsh', 'tmux');
    const folder = makeFolder();
    writeFileSync(join(folder, '_holdfast'), completionFor('zsh', program));
    const terminal = new Terminal({ columns: 200, rows: 50 });
    terminal.run('env PS1="> " zsh -f');
    terminal.type(`fpath=(${folder} $fpath); autoload -Uz compinit; compinit -u -d ${folder}/dump; echo lo''aded\n`);
    await terminal.untilShown('loaded');
    for (const [typed, completed] of [
      ['ben', 'bench'],
      ['--server a:1 run --kill', '--server a:1 run --kill-after'],
      ['ls --sort wai', 'ls --sort waiters'],
      ['check --config package.j', 'check --config package.json'],
      ['run jobs -- mkfif', 'run jobs -- mkfifo'],
    ] as const) {
      terminal.type(`holdfast ${typed}\t`);
      await terminal.untilShown(`> holdfast ${completed}`);
      terminal.press('C-u');
    }
  });
});
