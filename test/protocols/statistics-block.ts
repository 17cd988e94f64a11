/** The whole answer to `q`, as lines of a conversation. */

const KEYS = [
  ...['command_d', 'command_dump', 'command_g', 'command_i', 'command_iam', 'command_me', 'command_q', 'command_r'],
  ...['command_sd', 'command_sg', 'command_si', 'command_sr', 'command_who'],
  ...['connections', 'invalid_commands', 'locks', 'orphans', 'shared_locks', 'shared_orphans'],
];
const SHOWN_FROM_FIRST_USE = ['command_iam', 'command_me', 'command_who'];

/** With these counts; `command_q` and `connections` are 1 and all others 0 when they are left out. */
export function statistics(client: string, counts: Readonly<Record<string, number>>): string {
  const all: Readonly<Record<string, number>> = { command_q: 1, connections: 1, ...counts };
  const shown = KEYS.filter((key) => key in all || !SHOWN_FROM_FIRST_USE.includes(key));
  return shown.map((key, index) => `${client}${index === 0 ? '<' : '|'} ${key}: ${all[key] ?? 0}`).join('\n');
}
