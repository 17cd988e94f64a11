import { describeExamples, type Printed } from './compiled-examples.ts';

/** What each TypeScript example of these documents prints, in their order. */
const PRINTED: Readonly<Record<string, Printed>> = {
  'README.md': [/^42 0\n$/, /^holding jobs under token \d{16}\n$/],
  'docs/client.md': [
    ['connecting', /^connected\nidle\nconnected\n$/],
    ['several servers', /^exclusive\n$/],
    ['handles', /^jobs exclusive 1 true\ntrue true\n42 \{ ran: true, value: 'ran it' \}\n$/],
    ['modes', /^2 null\n\[ 1, 2, 'full' \]\n$/],
    ['several locks at once', /^2 account ann, account bob\n$/],
    ['deadlocks', /^\[ 'account ann, holder', 'account bob, holder' \]\ntrue true\n$/],
    ['leases', /^true\n$/],
    ['sessions', /^still held: true\n$/],
    ['events', /^lost jobs lease\n$/],
    ['why do I wait', /^import@web3\n\[ 'import@web3 exclusive true' \] 0\njobs 1\n$/],
    ['leader election', /^leading true\n$/],
    ['at most N at once', /^at most 5 at once\n$/],
    ['readers and a writer', /^\[ 'new', 'new' \] new\n$/],
    ['two locks at once', /^\{ ann: 80, bob: 120 \}\n$/],
    ['from navigator.locks', /^shared\n$/],
    ['from Redis locks', /^paid under its token\n$/],
    ['from flock', /^backed up\n$/],
  ],
  'docs/cluster.md': [/^idle\n$/],
  'docs/message-server.md': [/^hello\n$/],
  'docs/rpc.md': [/^ok \d{16}\n$/],
  'docs/web-locks.md': [
    ['requests', /^invoices exclusive\n42\n$/],
    ['options', /^\[ 'reader 1', 'reader 2' \]\nnot available\n$/],
    ['signals', /^TimeoutError\n$/],
    ['steal', /^(AbortError stolen\nmine now|mine now\nAbortError stolen)\n$/],
    ['query', /^held invoices exclusive true\npending invoices shared\n$/],
  ],
};

describe('the TypeScript in documents', () => {
  describeExamples('dist/documents', PRINTED);
});
