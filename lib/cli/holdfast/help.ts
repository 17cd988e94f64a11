/** The examples that `--help` shows. */

export const RUN_HELP = `  holdfast run nightly-backup -- backup.sh /srv
  holdfast run -n report -- make report       # not at all if it runs already
  holdfast run -w 60 -l 4 import -- ./import  # at most four at once, wait a minute
  holdfast run -s index,config -c 'cat a | grep b'
`;

export const LIST_HELP = `  holdfast ls --sort waiters        # where the longest queues are
  holdfast ls --sort age 'import '  # the longest holds of locks that begin so
  holdfast ls --watch --every 5     # again every five seconds
  holdfast ls --json
`;

export const INSPECT_HELP = `  holdfast inspect nightly-backup
  holdfast inspect --json nightly-backup
`;

export const WATCH_HELP = `  holdfast watch nightly-backup
  holdfast watch --prefix 'import '
  holdfast watch nightly-backup --max 1  # until the next time that something happens
  holdfast watch --json | jq 'select(.kind == "loss")'
`;

export const WHY_HELP = `  holdfast why import@web3:4711
  holdfast why 10.0.0.3:50122
`;

export const WHO_HELP = `  holdfast who
  holdfast who import@web3:4711
`;

export const STATS_HELP = `  holdfast stats
  holdfast stats --json
`;

export const TOP_HELP = `  holdfast top                # q quits, s sorts
  holdfast top --every 10
  holdfast top --once --json  # for a script
`;

export const BENCH_HELP = `  holdfast bench --server locks.example:20934
  holdfast bench --one --connections 10  # all wait for the same lock
  holdfast bench --seconds 30 --json
`;

export const RELEASE_HELP = `  holdfast release nightly-backup  # its holders hear that they have lost it
  holdfast release --permit import
`;

export const CLUSTER_HELP = `  holdfast cluster --server a.example:20934 --server b.example:20934
`;

export const CHECK_HELP = `  holdfast check --config /etc/holdfast/settings.json  # before a restart
  holdfast check --live --warning 100 --critical 1000  # from nagios
`;

export const KILL_HELP = `  holdfast kill 10.0.0.3:50122
  holdfast kill import@web3:4711  # all clients of that name
`;

export const HISTORY_HELP = `  holdfast history nightly-backup --at 03:12     # who had it then, and how that ended
  holdfast history --prefix 'import ' --since 2h
  holdfast history --reason forced --json
`;

export const COMPLETION_HELP = `  holdfast completion bash > /etc/bash_completion.d/holdfast
  holdfast completion zsh > "\${fpath[1]}/_holdfast"
  holdfast completion fish > ~/.config/fish/completions/holdfast.fish
`;
