/** `holdfast completion`: scripts by which shells complete commands and options, made from the commands as they are. */

import type { Command } from 'commander';

/** The shells that have one. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** A command, as a completion needs it. */
interface Completed {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly flag: string; readonly description: string }[];
}

/** The script for a shell, of a program with these commands. */
export function completionFor(shell: (typeof SHELLS)[number], program: Command): string {
  const commands = program.commands.map(toCompleted);
  const own = toCompleted(program);
  if (shell === 'fish') return fish(own, commands);
  return shell === 'bash' ? bash(own, commands) : zsh(own, commands);
}

function toCompleted(command: Command): Completed {
  const options = command.options.map(({ long, short, description }) => ({ flag: long ?? short ?? '', description }));
  return { name: command.name(), description: command.description(), options };
}

function flagsOf({ options }: Completed): string {
  return options.map(({ flag }) => flag).join(' ');
}

function bash(own: Completed, commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands
    .map((each) => `      ${each.name}) command=${each.name}; words="${flagsOf(each)}" ;;\n`)
    .join('');
  return `# holdfast completion bash > /etc/bash_completion.d/holdfast
_holdfast() {
  local words="${names} ${flagsOf(own)}" index
  local command=
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ "\${COMP_WORDS[index]}" == -- ]]; then
      COMPREPLY=($(compgen -c -- "\${COMP_WORDS[COMP_CWORD]}"))
      return
    fi
    if [[ -n "$command" ]]; then continue; fi
    case "\${COMP_WORDS[index]}" in
${cases}    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _holdfast holdfast
`;
}

function zsh(own: Completed, commands: readonly Completed[]): string {
  const described = commands.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}\n`).join('');
  const cases = commands.map((each) => `      ${each.name}) compadd -- ${flagsOf(each)}; _files; return ;;\n`).join('');
  return `#compdef holdfast
# holdfast completion zsh > "\${fpath[1]}/_holdfast"
_holdfast() {
  local -a commands=(
${described}  )
  local word
  for word in \${words[2,CURRENT-1]}; do
    case $word in
${cases}    esac
  done
  _describe command commands
  compadd -- ${flagsOf(own)}
}
_holdfast "$@"
`;
}

function fish(own: Completed, commands: readonly Completed[]): string {
  const lines = ['# holdfast completion fish > ~/.config/fish/completions/holdfast.fish'];
  const add = (condition: string, { options }: Completed): void => {
    for (const { flag, description } of options) {
      lines.push(
        `complete -c holdfast -n ${quoted(condition)} -l ${flag.replace(/^-+/, '')} -d ${quoted(description)}`,
      );
    }
  };
  add('__fish_use_subcommand', own);
  for (const each of commands) {
    lines.push(`complete -c holdfast -n __fish_use_subcommand -f -a ${each.name} -d ${quoted(each.description)}`);
    add(`__fish_seen_subcommand_from ${each.name}`, each);
  }
  return `${lines.join('\n')}\n`;
}

/** In single quotes, in which all three shells take everything as it is but a quote. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
