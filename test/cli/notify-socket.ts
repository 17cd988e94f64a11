/** The socket at which systemd is told how a service is doing. */

import { join } from 'node:path';
import { SystemProgram } from '../foreign/system-program.ts';
import { makeFolder } from '../server/clean-up.ts';

/** Prints a line for each message. A sender waits until its barrier is received. */
const RECEIVER = `use Socket; $| = 1;
socket(S, PF_UNIX, SOCK_DGRAM, 0) and bind(S, sockaddr_un($ARGV[0])) or die $!;
print "bound\\n";
while (defined recv(S, $message, 4096, 0)) {
  next if $message eq "BARRIER=1";
  $message =~ tr/\\n/ /;
  print "$message\\n";
}`;

export class NotifySocket {
  readonly path: string;
  readonly #receiver: SystemProgram;

  /** Resolves once it is open; it is closed when the test ends. */
  static async open(): Promise<NotifySocket> {
    const socket = new NotifySocket(join(makeFolder(), 'notify'));
    await socket.#receiver.nextLine();
    return socket;
  }

  private constructor(path: string) {
    this.path = path;
    this.#receiver = new SystemProgram('perl', ['-e', RECEIVER, path]);
  }

  /** The next message, without the number of the process that every message has. */
  async next(pid: number): Promise<string> {
    const message = await this.#receiver.nextLine();
    const mainPid = `MAINPID=${pid} `;
    if (!message.startsWith(mainPid)) throw new Error(`systemd was told ${message}`);
    return message.slice(mainPid.length);
  }
}
