/** Loaded into a server before anything else: the packages of gRPC are not there. */

import { register } from 'node:module';

const HOOKS = `export async function resolve(name, context, next) {
  if (!name.startsWith('@grpc/')) return next(name, context);
  throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' });
}`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
