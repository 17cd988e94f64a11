import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { completionFor, SHELLS } from '../../../lib/cli/holdfast/completion.ts';
import { makeProgram } from '../../../lib/cli/holdfast/program.ts';
import { needs } from '../../foreign/system-program.ts';

const program = makeProgram(() => {});

/** What bash offers for the last of these words. */
function offered(...words: readonly string[]): readonly string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionFor('bash', program)}
COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
}

describe('the completion of holdfast', () => {
  it('names each command and each option, for each shell', () => {
    for (const shell of SHELLS) {
      const script = completionFor(shell, program);
      for (const { name, options } of program.commands.map((each) => ({ name: each.name(), options: each.options }))) {
        expect(script, shell).to.include(name);
        for (const { long } of options) expect(script, shell).to.include((long ?? '').replace('--', ''));
      }
    }
  });

  it('offers in bash the commands, the options of a command, and behind -- programs', function () {
    needs(this, 'bash');
    expect(offered('holdfast', 'wh')).to.have.members(['why', 'who']);
    expect(offered('holdfast', '--server', 'a:1', 'run', '--kill')).to.deep.equal(['--kill-after']);
    expect(offered('holdfast', 'ls', '--so')).to.deep.equal(['--sort']);
    expect(offered('holdfast', 'run', 'jobs', '--', 'tru')).to.include('true');
  });
});
