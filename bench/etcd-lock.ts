/** The lock of etcd, version 3, through its JSON gateway: a lease for each session, and `/v3/lock/lock`, which waits. */

const TIME_TO_LIVE_SECONDS = 300;

/** One session: what it holds ends with its lease. */
export class EtcdSession {
  readonly #port: number;
  readonly #lease: string;

  private constructor(port: number, lease: string) {
    this.#port = port;
    this.#lease = lease;
  }

  static async open(port: number): Promise<EtcdSession> {
    const { ID } = await post(port, 'lease/grant', { TTL: TIME_TO_LIVE_SECONDS });
    return new EtcdSession(port, expectText(ID, 'the ID of the lease'));
  }

  /** Waits for a lock; resolves to the key to release it with. */
  async lock(name: string): Promise<string> {
    const { key } = await post(this.#port, 'lock/lock', { name: toBase64(name), lease: this.#lease });
    return expectText(key, 'the key of the lock');
  }

  async unlock(key: string): Promise<void> {
    await post(this.#port, 'lock/unlock', { key });
  }

  /** How many sessions hold a lock or wait for it: each has a key below its name. */
  async countKeys(name: string): Promise<number> {
    // The end of the range is the name with the next greater last character.
    const range = { key: toBase64(`${name}/`), range_end: toBase64(`${name}0`), count_only: true };
    const { count = '0' } = await post(this.#port, 'kv/range', range);
    return Number(count);
  }

  async close(): Promise<void> {
    await post(this.#port, 'lease/revoke', { ID: this.#lease });
  }
}

async function post(port: number, path: string, body: object): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(`http://127.0.0.1:${port}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd answered ${path} with ${response.status}: ${text}`);
  return JSON.parse(text);
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function expectText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is ${JSON.stringify(value)}; expected a string`);
  return value;
}
