/** Why a message server turns connections away, in words. */

import { guessForeignProtocol } from '../wire/detect.ts';
import type { ConnectionRefusalReason, RefusalCause } from './refusals.ts';
import { show } from './show.ts';

export { PROXY_BEGINNINGS } from '../wire/detect.ts';

type Cause = RefusalCause<ConnectionRefusalReason>;

/** How much is shown of the first bytes that belong to no protocol. */
const SHOWN_BYTES = 16;

/** An HTTP request came where messages are served. */
export const HTTP_REQUEST: Cause = {
  reason: 'http',
  why: 'it sent an HTTP request, which this port does not serve',
};

/** The server ends. */
export const DRAINING: Cause = { reason: 'draining', why: 'the server is about to stop' };

/** What begins with these bytes is no protocol of ours. */
export function foreignProtocol(firstBytes: Uint8Array): Cause {
  const guess = guessForeignProtocol(firstBytes);
  if (guess === 'http') return HTTP_REQUEST;
  if (guess === 'tls') {
    const why = 'it speaks TLS, which this port does not';
    return { reason: 'tlsUnexpected', why, remedy: 'set "tls" in the settings or connect without it' };
  }
  if (guess === 'proxy') {
    const why = 'it sent a header of the PROXY protocol, which is not taken from its address';
    return { reason: 'unknownProtocol', why, remedy: 'add the address to "proxies" of the listener in the settings' };
  }
  const shown = show(String.fromCharCode(...firstBytes.subarray(0, SHOWN_BYTES)));
  return { reason: 'unknownProtocol', why: `it began with ${shown}, as no protocol of this server does` };
}

/** More white space than that came, and nothing else. */
export function onlyWhiteSpace(maxBytes: number): Cause {
  return { reason: 'unknownProtocol', why: `it sent more than ${maxBytes} bytes of white space and nothing else` };
}

/** A proxy must tell whose connection it passes on, and did not. */
export function noProxyHeader(why: string): Cause {
  const remedy = 'have the proxy send one, or take its address out of "proxies" of the listener in the settings';
  return { reason: 'proxyHeader', why, remedy };
}

/** One of the server's protocols, but not there; `isPossible` where it could be. */
export function protocolNotServed(protocol: string, isPossible: boolean): Cause {
  const why = `it speaks "${protocol}", which this port does not serve`;
  const remedy = isPossible ? `add "${protocol}" to "protocols" of a listener in the settings` : undefined;
  return { reason: 'protocolNotServed', why, remedy };
}

/** There are as many connections as there may be. */
export function tooManyConnections(maxConnections: number): Cause {
  const cause = atLimit('maxConnections', maxConnections, 'there are as many connections already as');
  return { ...cause, remedy: `${cause.remedy}, and the limit of open files where that is lower` };
}

/** Its address has as many connections as it may have. */
export function tooManyOfAddress(maxConnectionsPerAddress: number): Cause {
  const why = 'its address has as many connections already as';
  return atLimit('maxConnectionsPerAddress', maxConnectionsPerAddress, why);
}

/** A connection that sent no message had to go, since there was this cause to refuse a new one. */
export function gaveWay({ why, remedy }: Cause): Cause {
  return { reason: 'silent', why: `it had sent no message, and a new one came: ${why}`, remedy };
}

/** A frame of WebSocket was not valid. */
export function brokenFrame(fault: string): Cause {
  return { reason: 'webSocketFrame', why: `it sent a frame that is not valid: ${fault}` };
}

/** Each fragment of a message takes memory. */
export function tooManyFragments(maxFragments: number): Cause {
  return { reason: 'webSocketFragments', why: `it sent a message in more than ${maxFragments} fragments` };
}

/** The peer sends pings and does not read the answers. */
export function unreadPongs(maxPongs: number): Cause {
  return { reason: 'webSocketPongs', why: `it sent pings and left more than ${maxPongs} of the answers unread` };
}

/** A message, a line or a frame was too long. */
export function tooLong(maxMessageBytes: number): Cause {
  return atLimit('maxMessageBytes', maxMessageBytes, 'it sent a message that is longer than');
}

/** The peer began a message and did not send its end. */
export function tooSlow(messageTimeoutMs: number): Cause {
  return atLimit('messageTimeoutMs', messageTimeoutMs, 'it began a message that did not end within');
}

/** The peer's message is the longest of those that have begun and that take too much room. */
export function noRoomForMessage(totalInputBytes: number): Cause {
  return atLimit('totalInputBytes', totalInputBytes, 'it began the longest of messages that together are longer than');
}

/** The peer does not read. */
export function unreadOutput(limit: 'hardOutputBytes' | 'totalOutputBytes', value: number): Cause {
  if (limit === 'hardOutputBytes') return atLimit(limit, value, 'it left more output unread than');
  return atLimit(limit, value, 'it does not read, and all connections have left more output unread than');
}

type Limit =
  | 'maxConnections'
  | 'maxConnectionsPerAddress'
  | 'maxMessageBytes'
  | 'messageTimeoutMs'
  | 'hardOutputBytes'
  | 'totalInputBytes'
  | 'totalOutputBytes';

function atLimit(limit: Limit, value: number, what: string): Cause {
  return { reason: limit, why: `${what} ${limit}, ${value}`, remedy: `raise "limits.${limit}" in the settings` };
}
