/** Makes docs/settings.md from the schema of the settings. */

import { optionsOf } from '../../lib/cli/server-command-line.ts';
import { LISTENER_SETTINGS, type ListedSetting, SETTINGS, variableOf } from '../../lib/cli/setting-list.ts';
import { type Effect, effectInListener, effectOf } from '../../lib/cli/settings-changes.ts';

const EFFECTS: Readonly<Record<Effect, string>> = {
  atOnce: 'at once',
  newConnections: 'new connections',
  restart: 'a restart',
};

const INTRODUCTION = `# Settings

Every setting of the server program, made from its schema by \`npm run docs:settings\`.
[The README](../README.md#running-it) tells what they are for, and [operations.md](operations.md#settings) how to change them.

A setting comes from the command line, else from the environment, else from the file of \`--config\`, which is JSON
([config/settings.json](../config/settings.json) has each with its default), else it has its default. In the environment, lists
of texts are separated by commas, and lists of objects are JSON. On SIGHUP the server reads all of this again; the last column tells from when on a
change holds then: at once, for new connections, or after a restart.
`;

const LISTENERS = `
## Each of the \`listeners\`

In the environment they are all together one variable, \`HOLDFAST_LISTENERS\`, in JSON. When their number changes, all changes of
them need a restart.

| setting | expected | default | SIGHUP | |
| --- | --- | --- | --- | --- |
`;

const END = `
A listener goes on with or without TLS, and with or without certificates of clients, as it began: other files hold for new
connections, but to set or to empty \`cert\`, \`key\` or \`ca\` needs a restart. The server of a [cluster](operations.md#a-cluster)
needs a restart for all \`limits\`, since all servers of a cluster must have the same.
`;

/** The text of the page. */
export function settingsPage(): string {
  const groups = new Set(SETTINGS.map(groupOf));
  const sections = [...groups].map((group) =>
    section(
      group,
      SETTINGS.filter((setting) => groupOf(setting) === group),
    ),
  );
  return `${INTRODUCTION}${sections.join('')}${LISTENERS}${LISTENER_SETTINGS.map(listenerRow).join('')}${END}`;
}

/** Empty for the settings of no group. */
function groupOf({ path }: ListedSetting): string {
  const [first = '', second] = path.split('.');
  return second === undefined ? '' : first;
}

function section(group: string, settings: readonly ListedSetting[]): string {
  const heading = group === '' ? 'Of the server' : `\`${group}\``;
  const head =
    '| setting | expected | default | environment, option | SIGHUP | |\n| --- | --- | --- | --- | --- | --- |\n';
  return `\n## ${heading}\n\n${head}${settings.map(row).join('')}`;
}

function row({ path, schema }: ListedSetting): string {
  const names = [variableOf(path), ...optionsOf(path)].map((name) => `\`${name}\``).join(', ');
  const value = path === 'listeners' ? 'four, all switched off' : showDefault(schema);
  return line([`\`${path}\``, schema.description, value, names, EFFECTS[effectOf(path)], schema.title]);
}

function listenerRow({ path, schema }: ListedSetting): string {
  return line([`\`${path}\``, schema.description, showDefault(schema), EFFECTS[effectInListener(path)], schema.title]);
}

function showDefault({ default: value }: ListedSetting['schema']): string {
  const isNone = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  return isNone ? 'none' : `\`${JSON.stringify(value)}\``;
}

function line(cells: readonly unknown[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |\n`;
}
