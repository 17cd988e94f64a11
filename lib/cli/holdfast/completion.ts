/** `holdfast completion`: scripts by which shells complete commands and options, made from the commands as they are. */

import type { Command, Option } from 'commander';

/** The shells that have one. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What follows an option: nothing, the path of a file, one of some words, or what nobody can know. */
type Value = { readonly kind: 'none' | 'file' | 'any' } | { readonly kind: 'word'; readonly words: readonly string[] };

/** An option, as a completion needs it. */
interface CompletedOption {
  readonly flag: string;
  readonly description: string;
  readonly value: Value;
}

/** A command, as a completion needs it. */
interface Completed {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  /** What its arguments can be, where they are to be chosen. */
  readonly words: readonly string[];
}

/** The script for a shell, of a program with these commands. */
export function completionFor(shell: (typeof SHELLS)[number], program: Command): string {
  const commands = program.commands.map(toCompleted);
  const own = toCompleted(program);
  if (shell === 'fish') return fish(own, commands);
  return shell === 'bash' ? bash(own, commands) : zsh(own, commands);
}

function toCompleted(command: Command): Completed {
  const options = command.options.map((option) => {
    const { long, short, description } = option;
    return { flag: long ?? short ?? '', description, value: followerOf(option) };
  });
  const words = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  return { name: command.name(), description: command.description(), options, words };
}

function followerOf({ required, argChoices, flags }: Option): Value {
  if (!required) return { kind: 'none' };
  if (argChoices !== undefined) return { kind: 'word', words: argChoices };
  return { kind: flags.endsWith('<file>') ? 'file' : 'any' };
}

/** What can follow a command. */
function wordsOf({ options, words }: Completed): string {
  return [...options.map(({ flag }) => flag), ...words].join(' ');
}

/** The branches of a `case` for the word before: what completes the value of each option, by that value. */
function branches(commands: readonly Completed[], complete: (value: Value) => string): string {
  const byAction = new Map<string, Set<string>>();
  for (const { flag, value } of commands.flatMap(({ options }) => options)) {
    if (value.kind === 'none') continue;
    const flags = byAction.get(complete(value)) ?? new Set();
    byAction.set(complete(value), flags.add(flag));
  }
  return [...byAction].map(([action, flags]) => `    ${[...flags].join('|')}) ${action}; return ;;\n`).join('');
}

function bash(own: Completed, commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands
    .map((each) => `      ${each.name}) command=${each.name}; words="${wordsOf(each)}" ;;\n`)
    .join('');
  const values = branches([own, ...commands], (value) => {
    if (value.kind === 'file') return 'COMPREPLY=($(compgen -f -- "$current"))';
    return value.kind === 'word'
      ? `COMPREPLY=($(compgen -W "${value.words.join(' ')}" -- "$current"))`
      : 'COMPREPLY=()';
  });
  return `# holdfast completion bash > /etc/bash_completion.d/holdfast
_holdfast() {
  local words="${names} ${wordsOf(own)}" current="\${COMP_WORDS[COMP_CWORD]}" index
  local command=
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ "\${COMP_WORDS[index]}" == -- ]]; then
      COMPREPLY=($(compgen -c -- "$current"))
      return
    fi
    if [[ -n "$command" ]]; then continue; fi
    case "\${COMP_WORDS[index]}" in
${cases}    esac
  done
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
${values}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _holdfast holdfast
`;
}

function zsh(own: Completed, commands: readonly Completed[]): string {
  const described = commands.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}\n`).join('');
  const cases = commands.map((each) => `      ${each.name}) compadd -- ${wordsOf(each)}; return ;;\n`).join('');
  const values = branches([own, ...commands], (value) => {
    if (value.kind === 'file') return '_files';
    return value.kind === 'word' ? `compadd -- ${value.words.join(' ')}` : '_message value';
  });
  return `#compdef holdfast
# holdfast completion zsh > "\${fpath[1]}/_holdfast"
_holdfast() {
  local -a subcommands=(
${described}  )
  local word
  local -i dashes=\${words[(i)--]}
  if (( dashes < CURRENT )); then
    shift $dashes words
    (( CURRENT -= dashes ))
    _normal
    return
  fi
  case \${words[CURRENT-1]} in
${values}  esac
  for word in \${words[2,CURRENT-1]}; do
    case $word in
${cases}    esac
  done
  _describe command subcommands
  compadd -- ${wordsOf(own)}
}
_holdfast "$@"
`;
}

function fish(own: Completed, commands: readonly Completed[]): string {
  const lines: string[] = [];
  const add = (condition: string, { options, words }: Completed): void => {
    for (const { flag, description, value } of options) {
      const long = `-l ${flag.replace(/^-+/, '')}`;
      lines.push(`complete -c holdfast -n ${quoted(condition)} ${long}${fishValue(value)} -d ${quoted(description)}`);
    }
    if (words.length > 0) lines.push(`complete -c holdfast -n ${quoted(condition)} -a ${quoted(words.join(' '))}`);
  };
  add('not __holdfast_command', own);
  for (const each of commands) {
    lines.push(`complete -c holdfast -n 'not __holdfast_command' -a ${each.name} -d ${quoted(each.description)}`);
    add(`contains -- ${each.name} (__holdfast_command)`, each);
  }
  return `# holdfast completion fish > ~/.config/fish/completions/holdfast.fish
function __holdfast_command
  for word in (commandline -opc)[2..-1]
    if contains -- $word ${commands.map(({ name }) => name).join(' ')}
      echo $word
      return 0
    end
  end
  return 1
end
function __holdfast_rest
  set -l words (commandline -opc) (commandline -ct)
  set -l dashes (contains -i -- -- $words)
  complete -C (string join ' ' -- $words[(math $dashes + 1)..-1])
end
complete -c holdfast -f
complete -c holdfast -n 'contains -- -- (commandline -opc)' -a '(__holdfast_rest)'
${lines.join('\n')}
`;
}

function fishValue(value: Value): string {
  if (value.kind === 'none') return '';
  if (value.kind === 'file') return ' -r -F';
  return value.kind === 'word' ? ` -x -a ${quoted(value.words.join(' '))}` : ' -x';
}

/** In single quotes, in which all three shells take everything as it is but a quote. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
