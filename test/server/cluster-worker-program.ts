/** Listens, and says why it cannot. */

import { LockServer } from '../../lib/server/lock-server.ts';
import { tcp } from '../../lib/transports/tcp.ts';

await new LockServer()
  .listen(tcp({ host: '127.0.0.1', port: 0, allowed: ['127.0.0.1'] }))
  .then(console.log, (error: Error) => console.log(error.message));
process.exit();
