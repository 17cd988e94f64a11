/** The examples that `--help` shows. */

export const RUN_HELP = `  holdfast run nightly-backup -- backup.sh /srv
  holdfast run -n report -- make report       # not at all if it runs already
  holdfast run -w 60 -l 4 import -- ./import  # at most four at once, wait a minute
  holdfast run -s index,config -c 'cat a | grep b'
`;
