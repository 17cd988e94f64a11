/** Output as one text that grows. */

import type { Output } from './codec.ts';

/** For those who send few messages, and long ones. */
export class TextOutput implements Output {
  protected text = '';

  get length(): number {
    return this.text.length;
  }

  add(text: string): void {
    this.text += text;
  }

  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }
}
