import { expect } from 'chai';
import { needs, SystemProgram } from '../foreign/system-program.ts';
import { endTest } from '../server/clean-up.ts';
import { startServerProgram } from '../server/running-program.ts';

describe('netcat', () => {
  afterEach(endTest);

  it('shows the reply to a lock request', async function () {
    needs(this, 'nc');
    const { port } = await startServerProgram();
    const request = '{"command":"lock","parameters":{"lockName":"a"},"id":1}';
    const shell = new SystemProgram('sh', ['-c', `printf '${request}\\n' | nc 127.0.0.1 ${port}`]);
    expect(await shell.nextLine()).to.match(/^\{"id":1,"result":\{"status":"ok","token":\d+,"count":1\}\}$/);
  });
});
