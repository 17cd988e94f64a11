/** Follows the frames of a WebSocket by their headers (RFC 6455, section 5.2), since `ws` only tells of whole messages. */

const FINAL = 0x80;
const OPCODE = 0x0f;
/** Opcodes from here on are of control frames, which may come between the frames of a message. */
const FIRST_CONTROL_OPCODE = 0x8;
const MASKED = 0x80;
const LENGTH = 0x7f;
const TWO_BYTE_LENGTH = 126;
const EIGHT_BYTE_LENGTH = 127;
const MASK_BYTES = 4;
/** What `ws` needs for each fragment that it keeps, beside its bytes. */
export const FRAGMENT_BYTES = 128;

/** Knows after each piece of the bytes how much has come of a message or a frame that is not whole. */
export class FrameFollower {
  /** Bytes of the current header. */
  readonly #header: number[] = [];
  /** How many bytes of the current frame's payload have not come. */
  #payloadBytes = 0;
  #message: 'none' | 'continued' = 'none';
  /** How many bytes have come since all was whole, and what keeping them takes. */
  partialBytes = 0;

  /** Takes the next bytes. */
  read(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#payloadBytes > 0) {
        const skipped = Math.min(this.#payloadBytes, bytes.length - offset);
        this.#payloadBytes -= skipped;
        this.partialBytes += skipped;
        offset += skipped;
      } else {
        this.#header.push(bytes[offset] as number);
        this.partialBytes += 1;
        offset += 1;
        if (this.#header.length >= 2 && this.#header.length === headerBytes(this.#header)) this.#endHeader();
      }
      const isWhole = this.#payloadBytes === 0 && this.#header.length === 0 && this.#message === 'none';
      if (isWhole) this.partialBytes = 0;
    }
  }

  /** Whether these bytes, which come next, are one frame at most, or the rest or the beginning of one. */
  isOneFrame(bytes: Uint8Array): boolean {
    if (this.#header.length > 0) return false;
    if (this.#payloadBytes > 0) return bytes.length <= this.#payloadBytes;
    const [, second = 0, third = 0, fourth = 0] = bytes;
    let payloadBytes = second & LENGTH;
    if (payloadBytes === TWO_BYTE_LENGTH) payloadBytes = third * 256 + fourth;
    // Much will come, so it makes no difference whether its beginning has to wait.
    else if (payloadBytes === EIGHT_BYTE_LENGTH) payloadBytes = 0;
    return bytes.length <= headerBytes([0, second]) + payloadBytes;
  }

  #endHeader(): void {
    const [first = 0, second = 0, ...rest] = this.#header;
    const length = second & LENGTH;
    const lengthBytes = rest.slice(0, extendedLengthBytes(length));
    this.#payloadBytes = length < TWO_BYTE_LENGTH ? length : lengthBytes.reduce((sum, byte) => sum * 256 + byte, 0);
    if ((first & OPCODE) < FIRST_CONTROL_OPCODE) {
      this.#message = (first & FINAL) === 0 ? 'continued' : 'none';
      if (this.#message === 'continued') this.partialBytes += FRAGMENT_BYTES;
    }
    this.#header.length = 0;
  }
}

/** The length of a header whose first two bytes are there. */
function headerBytes([, second = 0]: readonly number[]): number {
  return 2 + extendedLengthBytes(second & LENGTH) + ((second & MASKED) === 0 ? 0 : MASK_BYTES);
}

function extendedLengthBytes(length: number): number {
  if (length === EIGHT_BYTE_LENGTH) return 8;
  return length === TWO_BYTE_LENGTH ? 2 : 0;
}
