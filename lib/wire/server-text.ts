/** How the server reads and writes newline-delimited JSON. */

import type { MessageText } from './ndjson-codec.ts';
import { printMessage } from './reply-printer.ts';
import { scanRequest } from './request-scanner.ts';
import { decodeText } from './text.ts';

/** The shortcuts for common messages; the others are JSON, in which bytes that are no UTF-8 are kept as lone surrogates. */
export const SERVER_TEXT: MessageText = { decode: decodeText, scan: scanRequest, print: printMessage };
