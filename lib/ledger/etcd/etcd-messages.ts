/** The calls and messages of etcd's API v3 that we use, with the field numbers of its documentation. Fields that we neither send nor read are left out. */

import { LedgerError } from '../ledger-error.ts';

/** How a call's messages become bytes, and where it is sent. */
export interface EtcdMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** The calls that we use. */
export interface EtcdMethods {
  readonly range: EtcdMethod<RangeRequest, RangeResponse>;
  readonly txn: EtcdMethod<TxnRequest, TxnResponse>;
  readonly leaseGrant: EtcdMethod<{ readonly TTL: number }, LeaseResponse>;
  readonly leaseRevoke: EtcdMethod<{ readonly ID: string }, { readonly header: Header }>;
  readonly leaseKeepAlive: EtcdMethod<{ readonly ID: string }, LeaseResponse>;
  readonly watch: EtcdMethod<{ readonly createRequest: WatchCreateRequest }, WatchResponse>;
  readonly status: EtcdMethod<object, StatusResponse>;
  readonly authenticate: EtcdMethod<
    { readonly name: string; readonly password: string },
    { readonly header: Header; readonly token: string }
  >;
}

/** Numbers of 64 bits come as text. */
export interface Header {
  readonly clusterId: string;
  readonly revision: string;
}

export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer | undefined;
  readonly limit?: number | undefined;
}

export interface RawKeyValue {
  readonly key: Buffer;
  readonly createRevision: string;
  readonly modRevision: string;
  readonly value: Buffer;
  readonly lease: string;
}

export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly RawKeyValue[];
  readonly more: boolean;
}

/** The numbers of what a transaction can compare. */
export const COMPARE_TARGETS = { create: 1, mod: 2 } as const;

export type RawCompare =
  | { readonly target: 1; readonly key: Buffer; readonly createRevision: number }
  | { readonly target: 2; readonly key: Buffer; readonly modRevision: number };

export type RawOperation =
  | { readonly requestRange: RangeRequest }
  | { readonly requestPut: { readonly key: Buffer; readonly value: Buffer; readonly lease: string } }
  | { readonly requestDeleteRange: { readonly key: Buffer; readonly rangeEnd?: Buffer | undefined } };

export interface TxnRequest {
  readonly compare: readonly RawCompare[];
  readonly success: readonly RawOperation[];
  readonly failure: readonly RawOperation[];
}

export interface RawResult {
  readonly responseRange?: { readonly kvs: readonly RawKeyValue[] };
  readonly responsePut?: object;
  readonly responseDeleteRange?: { readonly deleted: string };
}

export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly RawResult[];
}

export interface LeaseResponse {
  readonly header: Header;
  readonly ID: string;
  readonly TTL: string;
}

export interface WatchCreateRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer | undefined;
  readonly startRevision: number;
}

/** The number of an event that tells of a deleted key. */
export const DELETE_EVENT = 1;

export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: number; readonly kv: RawKeyValue }[];
}

export interface StatusResponse {
  readonly header: Header;
  readonly version: string;
  readonly dbSize: string;
  readonly leader: string;
  readonly errors: readonly string[];
}

type Field = readonly [type: string, id: number, rule?: 'repeated'];

/** A type, for the library. */
function type(fields: Readonly<Record<string, Field>>, oneof: readonly string[] = []): object {
  const described = Object.entries(fields).map(([name, [kind, id, rule]]) => [name, { type: kind, id, rule }]);
  const oneofs = oneof.length === 0 ? undefined : { one: { oneof } };
  return { fields: Object.fromEntries(described), oneofs };
}

const HEADER: Readonly<Record<string, Field>> = { header: ['ResponseHeader', 1] };
const PAIR = 'mvccpb.KeyValue';

const TYPES: Readonly<Record<string, object>> = {
  ResponseHeader: type({ clusterId: ['uint64', 1], revision: ['int64', 3] }),
  RangeRequest: type({ key: ['bytes', 1], rangeEnd: ['bytes', 2], limit: ['int64', 3] }),
  RangeResponse: type({ ...HEADER, kvs: [PAIR, 2, 'repeated'], more: ['bool', 3] }),
  PutRequest: type({ key: ['bytes', 1], value: ['bytes', 2], lease: ['int64', 3] }),
  PutResponse: type(HEADER),
  DeleteRangeRequest: type({ key: ['bytes', 1], rangeEnd: ['bytes', 2] }),
  DeleteRangeResponse: type({ ...HEADER, deleted: ['int64', 2] }),
  RequestOp: type(
    {
      requestRange: ['RangeRequest', 1],
      requestPut: ['PutRequest', 2],
      requestDeleteRange: ['DeleteRangeRequest', 3],
    },
    ['requestRange', 'requestPut', 'requestDeleteRange'],
  ),
  ResponseOp: type(
    {
      responseRange: ['RangeResponse', 1],
      responsePut: ['PutResponse', 2],
      responseDeleteRange: ['DeleteRangeResponse', 3],
    },
    ['responseRange', 'responsePut', 'responseDeleteRange'],
  ),
  // The result that is compared for, field 1, is equality where it is left out.
  Compare: type({ target: ['int32', 2], key: ['bytes', 3], createRevision: ['int64', 5], modRevision: ['int64', 6] }, [
    'createRevision',
    'modRevision',
  ]),
  TxnRequest: type({
    compare: ['Compare', 1, 'repeated'],
    success: ['RequestOp', 2, 'repeated'],
    failure: ['RequestOp', 3, 'repeated'],
  }),
  TxnResponse: type({ ...HEADER, succeeded: ['bool', 2], responses: ['ResponseOp', 3, 'repeated'] }),
  LeaseGrantRequest: type({ TTL: ['int64', 1] }),
  LeaseRevokeRequest: type({ ID: ['int64', 1] }),
  LeaseRevokeResponse: type(HEADER),
  LeaseKeepAliveRequest: type({ ID: ['int64', 1] }),
  LeaseResponse: type({ ...HEADER, ID: ['int64', 2], TTL: ['int64', 3] }),
  WatchRequest: type({ createRequest: ['WatchCreateRequest', 1] }),
  WatchCreateRequest: type({ key: ['bytes', 1], rangeEnd: ['bytes', 2], startRevision: ['int64', 3] }),
  WatchResponse: type({
    ...HEADER,
    created: ['bool', 3],
    canceled: ['bool', 4],
    compactRevision: ['int64', 5],
    cancelReason: ['string', 6],
    events: ['mvccpb.Event', 11, 'repeated'],
  }),
  StatusRequest: type({}),
  StatusResponse: type({
    ...HEADER,
    version: ['string', 2],
    dbSize: ['int64', 3],
    leader: ['uint64', 4],
    errors: ['string', 8, 'repeated'],
  }),
  AuthenticateRequest: type({ name: ['string', 1], password: ['string', 2] }),
  AuthenticateResponse: type({ ...HEADER, token: ['string', 2] }),
};

const PAIR_TYPES: Readonly<Record<string, object>> = {
  KeyValue: type({
    key: ['bytes', 1],
    createRevision: ['int64', 2],
    modRevision: ['int64', 3],
    value: ['bytes', 5],
    lease: ['int64', 6],
  }),
  Event: type({ type: ['int32', 1], kv: ['KeyValue', 2] }),
};

/** The service of each call, its name there, and the types of its messages. */
const CALLS: Readonly<Record<keyof EtcdMethods, readonly [string, string, string, string]>> = {
  range: ['KV', 'Range', 'RangeRequest', 'RangeResponse'],
  txn: ['KV', 'Txn', 'TxnRequest', 'TxnResponse'],
  leaseGrant: ['Lease', 'LeaseGrant', 'LeaseGrantRequest', 'LeaseResponse'],
  leaseRevoke: ['Lease', 'LeaseRevoke', 'LeaseRevokeRequest', 'LeaseRevokeResponse'],
  leaseKeepAlive: ['Lease', 'LeaseKeepAlive', 'LeaseKeepAliveRequest', 'LeaseResponse'],
  watch: ['Watch', 'Watch', 'WatchRequest', 'WatchResponse'],
  status: ['Maintenance', 'Status', 'StatusRequest', 'StatusResponse'],
  authenticate: ['Auth', 'Authenticate', 'AuthenticateRequest', 'AuthenticateResponse'],
};

/**
 * Loads the library that turns messages into bytes, and makes the calls.
 * @throws LedgerError `unusable` when it is not installed.
 */
export async function loadMethods(): Promise<EtcdMethods> {
  const { fromJSON } = await orMissing(import('@grpc/proto-loader'));
  const services: Record<string, { methods: Record<string, object> }> = {};
  for (const [service, name, requestType, responseType] of Object.values(CALLS)) {
    services[service] ??= { methods: {} };
    (services[service] as { methods: Record<string, object> }).methods[name] = { requestType, responseType };
  }
  const nested = { etcdserverpb: { nested: { ...TYPES, ...services } }, mvccpb: { nested: PAIR_TYPES } };
  const definition = fromJSON({ nested } as Parameters<typeof fromJSON>[0], { longs: String, defaults: true });
  const found = Object.entries(CALLS).map(([call, [service, name]]) => {
    const methods = definition[`etcdserverpb.${service}`] as unknown as Record<string, unknown>;
    return [call, methods[name]];
  });
  return Object.fromEntries(found) as unknown as EtcdMethods;
}

/** What a package exports. @throws LedgerError `unusable` when it is not installed. */
export async function orMissing<Exports>(loading: Promise<Exports>): Promise<Exports> {
  try {
    return await loading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const hint = 'a cluster on etcd needs the package @grpc/grpc-js: npm install @grpc/grpc-js';
    throw new LedgerError('unusable', hint, error);
  }
}
