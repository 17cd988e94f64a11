/**
 * Requests in Memcached's binary protocol. The methods of memjs cannot compare an item's version (its "cas") before
 * they delete it, and they pass values through a serializer that the application may have changed.
 */

/** The statuses of responses that are expected outcomes. */
export const MEMCACHED_STATUS: {
  readonly ok: 0;
  readonly notFound: 1;
  readonly exists: 2;
} = { ok: 0, notFound: 1, exists: 2 };

const REQUEST_MAGIC = 0x80;
const GET = 0x00;
const ADD = 0x02;
const DELETE = 0x04;
const HEADER_BYTES = 24;
const KEY_LENGTH_AT = 2;
const EXTRAS_LENGTH_AT = 4;
const BODY_LENGTH_AT = 8;
/** The response repeats this number to name its request. */
const OPAQUE_AT = 12;
const VERSION_AT = 16;
const ADD_EXTRAS_BYTES = 8;
const EXPIRY_AT = 4;

const NOTHING: Uint8Array = new Uint8Array();

/** Reads an item. */
export function getRequest(key: string, sequence: number): Buffer {
  return request(GET, { key, sequence });
}

/** Stores a value for that many seconds, if the key is not there yet. */
export function addRequest(key: string, sequence: number, value: string, expirySeconds: number): Buffer {
  const extras = Buffer.alloc(ADD_EXTRAS_BYTES);
  extras.writeUInt32BE(expirySeconds, EXPIRY_AT);
  return request(ADD, { key, sequence, extras, value });
}

/** Deletes an item if it still has that version: eight bytes from the header of a response. */
export function deleteRequest(key: string, sequence: number, version: Uint8Array): Buffer {
  return request(DELETE, { key, sequence, version });
}

interface Parts {
  readonly key: string;
  readonly sequence: number;
  readonly extras?: Uint8Array;
  readonly value?: string;
  readonly version?: Uint8Array;
}

function request(operation: number, { key, sequence, extras = NOTHING, value = '', version = NOTHING }: Parts): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const body = Buffer.concat([extras, Buffer.from(key), Buffer.from(value)]);
  header[0] = REQUEST_MAGIC;
  header[1] = operation;
  header.writeUInt16BE(Buffer.byteLength(key), KEY_LENGTH_AT);
  header[EXTRAS_LENGTH_AT] = extras.length;
  header.writeUInt32BE(body.length, BODY_LENGTH_AT);
  header.writeUInt32BE(sequence, OPAQUE_AT);
  header.set(version, VERSION_AT);
  return Buffer.concat([header, body]);
}
