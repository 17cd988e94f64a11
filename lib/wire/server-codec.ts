/** How the server reads and writes newline-delimited JSON. */

import type { StreamEncoding } from './codec.ts';
import type { ProtocolError, RequestError } from './errors.ts';
import { parse } from './json.ts';
import { NdjsonCodec } from './ndjson-codec.ts';
import { printReply } from './reply-printer.ts';
import { requestScanner } from './request-scanner.ts';
import { ScratchOutput } from './scratch-output.ts';
import { decodeText, encodeUtf8 } from './text.ts';

/**
 * With shortcuts for the messages that come and go most; the others are JSON, in which bytes that are no UTF-8 are kept
 * as lone surrogates.
 */
export class ServerCodec extends NdjsonCodec {
  override readonly encoding: StreamEncoding = 'latin1';
  override readonly output: ScratchOutput = new ScratchOutput();

  override encode(message: object): void {
    if (!printReply(message, this.output)) this.output.add(`${encodeUtf8(JSON.stringify(message))}\n`);
  }

  override next(): unknown | RequestError | ProtocolError | undefined {
    const { lines } = this;
    // Who reads a common request finds its end on the way.
    if (lines.peek()) {
      const request = requestScanner.scan(lines.bytes, lines.start, lines.end);
      if (request !== undefined) {
        lines.skipTo(requestScanner.lineEnd + 1);
        return request;
      }
    }
    return super.next();
  }

  protected override read(bytes: Uint8Array, start: number, end: number): unknown | RequestError | undefined {
    return parse(decodeText(bytes.subarray(start, end)));
  }
}
