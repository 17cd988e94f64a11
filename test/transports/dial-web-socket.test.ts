import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import type { ByteStream } from '../../lib/message/byte-stream.ts';
import { dialWebSocket, type WebSocketClass } from '../../lib/transports/dial-web-socket.ts';
import { dialWebSocket as dialFromNode } from '../../lib/transports/dial-web-socket-node.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { Inbox } from '../server/inbox.ts';
import { freePort } from '../support/free-port.ts';
import { rejection } from '../support/rejection.ts';
import { type FrameConnection, FrameServer } from './frame-server.ts';

/** Cannot close at once, as in browsers. */
class StandardWebSocket extends WebSocket {
  override terminate = undefined as never;
}

const CLASSES: Readonly<Record<string, WebSocketClass>> = {
  'that of a browser': StandardWebSocket,
  'that of the package ws': WebSocket,
};

/** A stream and the lines that were read from it. */
interface Reading {
  readonly stream: ByteStream;
  readonly lines: Inbox<string>;
  readonly closed: Promise<Error | undefined>;
}

describe('connecting by WebSocket', () => {
  afterEach(endTest);

  for (const [name, WebSocketClass] of Object.entries(CLASSES)) {
    describe(`with a class like ${name}`, () => {
      const noSignal = new AbortController().signal;

      async function connect(greeting?: string): Promise<Reading & { readonly peer: FrameConnection }> {
        const server = await FrameServer.start(greeting);
        const stream = await dialWebSocket({ url: server.url, WebSocket: WebSocketClass })(noSignal);
        const peer = await server.accept();
        // By then everything that the server sent before has arrived.
        await new Promise((resolve) => peer.webSocket.ping(resolve));
        await once(peer.webSocket, 'pong');
        const lines = new Inbox<string>();
        const closed = new Promise<Error | undefined>((resolve) => {
          stream.start({
            data: (bytes) => lines.push(Buffer.from(bytes).toString('latin1')),
            ended: () => {},
            closed: resolve,
          });
        });
        whenTestEnds(() => stream.destroy());
        return { stream, lines, closed, peer };
      }

      it('sends each write as one frame of text, without the end of the line', async () => {
        const { stream, peer } = await connect();
        expect(stream.isFramed).to.equal(true);
        stream.write('{"a":"ä"}\n', 'utf8');
        stream.write('{"b":1}\n', 'utf8');
        expect(await peer.frames.next()).to.equal(`text:${Buffer.from('{"a":"ä"}').toString('latin1')}`);
        expect(await peer.frames.next()).to.equal('text:{"b":1}');
      });

      it('sends a frame in pieces once it is complete', async () => {
        const { stream, peer } = await connect();
        stream.write('one ', 'utf8', 'continued');
        stream.write('two ', 'utf8', 'continued');
        stream.write('three\n', 'utf8');
        stream.write('four\n', 'utf8');
        expect(await peer.frames.next()).to.equal('text:one two three');
        expect(await peer.frames.next()).to.equal('text:four');
      });

      it('sends Latin-1 text as bytes', async () => {
        const { stream, peer } = await connect();
        stream.write('g \xff\xfe\n', 'latin1');
        expect(await peer.frames.next()).to.equal('binary:g \xff\xfe');
      });

      it('passes on each frame as one line', async () => {
        const { lines, peer } = await connect();
        peer.webSocket.send('{"a":"ä"}');
        peer.webSocket.send('{\r\n"b":1\n}');
        peer.webSocket.send(Buffer.from([0x61, 0xff, 0x0a]));
        expect(await lines.next()).to.equal(`${Buffer.from('{"a":"ä"}').toString('latin1')}\n`);
        expect(await lines.next()).to.equal('{  "b":1 }\n');
        expect(await lines.next()).to.equal('a\xff \n');
      });

      it('keeps input until somebody reads', async () => {
        const { lines } = await connect('welcome');
        expect(lines.size).to.equal(1);
        expect(await lines.next()).to.equal('welcome\n');
      });

      it('counts the bytes that the system has not taken, and calls back when it has', async () => {
        const { stream, peer } = await connect();
        peer.webSocket.pause();
        const text = 'x'.repeat(64 * 1024 * 1024);
        stream.write(text, 'utf8');
        expect(stream.unsentBytes).to.be.greaterThan(text.length / 2);
        const drained = new Promise<void>((resolve) => stream.whenDrained(resolve));
        peer.webSocket.resume();
        await drained;
        expect(stream.unsentBytes).to.equal(0);
        expect(await peer.frames.next()).to.have.length('text:'.length + text.length);
      });

      it('sends everything before it ends, and says goodbye', async () => {
        const { stream, peer, closed } = await connect();
        stream.write('last\n', 'utf8');
        stream.end();
        expect(await peer.frames.next()).to.equal('text:last');
        expect(await peer.closed).to.equal(1000);
        expect(await closed).to.equal(undefined);
      });

      it('closes at once when it is destroyed, even if the server does not say goodbye', async () => {
        const { stream, peer, closed } = await connect();
        peer.webSocket.pause();
        stream.destroy();
        expect(await closed).to.equal(undefined);
      });

      it('passes on nothing once it is closed', async () => {
        const { stream, lines, peer, closed } = await connect();
        stream.destroy();
        await closed;
        peer.webSocket.send('too late');
        peer.webSocket.close();
        await peer.closed;
        expect(lines.size).to.equal(0);
      });

      it('closes without an error when the server says goodbye', async () => {
        for (const code of [1000, undefined]) {
          const { peer, closed } = await connect();
          peer.webSocket.close(code);
          expect(await closed).to.equal(undefined);
        }
      });

      it('closes with an error that explains any other code', async () => {
        const expected = {
          1001: 'the WebSocket was closed with code 1001, the server is going away: because',
          1009: 'the WebSocket was closed with code 1009, a message was too long for the server: because',
          4321: 'the WebSocket was closed with code 4321, see RFC 6455: because',
        };
        for (const [code, message] of Object.entries(expected)) {
          const { peer, closed } = await connect();
          peer.webSocket.close(Number(code), 'because');
          expect((await closed)?.message).to.equal(message);
        }
      });

      it('closes with an error when the connection breaks', async () => {
        const { peer, closed } = await connect();
        peer.webSocket.terminate();
        expect((await closed)?.message).to.equal('the WebSocket was closed with code 1006, the connection broke');
      });

      it('rejects when nobody listens there', async () => {
        const port = await freePort();
        const error = await rejection(
          dialWebSocket({ url: `ws://127.0.0.1:${port}`, WebSocket: WebSocketClass })(noSignal),
        );
        expect(error).to.include({ code: 'ECONNREFUSED' });
      });

      it('rejects with the reason of the signal, and leaves nothing open', async () => {
        const sockets: Socket[] = [];
        const silent = createServer((socket) => {
          socket.on('error', () => {});
          sockets.push(socket);
        });
        whenTestEnds(() => silent.close());
        await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
        const { port } = silent.address() as { port: number };
        const abort = new AbortController();
        const dial = dialWebSocket({ url: `ws://127.0.0.1:${port}`, WebSocket: WebSocketClass });
        const dialling = rejection(dial(abort.signal));
        while (sockets.length === 0) await immediate();
        const gone = once(sockets[0] as Socket, 'close');
        (sockets[0] as Socket).resume();
        const reason = new Error('enough');
        abort.abort(reason);
        expect(await dialling).to.equal(reason);
        await gone;
        expect(await rejection(dial(abort.signal))).to.equal(reason);
        expect(sockets).to.have.length(1);
      });

      it('accepts only URLs of WebSockets', () => {
        const wrong = ['', 'locks.example', '/locks', 'http://127.0.0.1', 'tcp://127.0.0.1:20934', 'ws://host/#part'];
        for (const url of wrong) {
          expect(() => dialWebSocket({ url, WebSocket: WebSocketClass }), url).to.throw(
            TypeError,
            `url is ${JSON.stringify(url)}; expected one that begins with ws:// or wss:// and has no fragment`,
          );
        }
        dialWebSocket({ url: new URL('wss://locks.example/path?x=1'), WebSocket: WebSocketClass });
      });
    });
  }

  it('names both possible causes where a browser hides them', async () => {
    /** Fails as browsers do. */
    class SilentWebSocket extends EventTarget {
      binaryType = '';
      readonly bufferedAmount = 0;

      constructor() {
        super();
        queueMicrotask(() => this.dispatchEvent(new Event('error')));
      }

      send(): void {}

      close(): void {}
    }
    const dial = dialWebSocket({ url: 'ws://locks.example/', WebSocket: SilentWebSocket as unknown as WebSocketClass });
    expect(await rejection(dial(new AbortController().signal)))
      .to.be.instanceOf(Error)
      .and.have.property('message')
      .that.equals(
        "no connection to ws://locks.example/: nobody listens there, or the server does not take this page's origin",
      );
  });

  it('needs a class if none is global', () => {
    const scope = globalThis as { WebSocket?: unknown };
    const descriptor = Object.getOwnPropertyDescriptor(scope, 'WebSocket');
    delete scope.WebSocket;
    whenTestEnds(() => {
      if (descriptor !== undefined) Object.defineProperty(scope, 'WebSocket', descriptor);
    });
    expect(() => dialWebSocket({ url: 'ws://127.0.0.1' })).to.throw(TypeError, 'WebSocket is undefined');
    scope.WebSocket = WebSocket;
    whenTestEnds(() => {
      delete scope.WebSocket;
    });
    dialWebSocket({ url: 'ws://127.0.0.1' });
  });

  it('says what each attempt failed by when a name has several addresses', async () => {
    class Failing extends EventTarget {
      constructor() {
        super();
        const error = new AggregateError([new Error('refused at ::1'), new Error('refused at 127.0.0.1')]);
        queueMicrotask(() => this.dispatchEvent(Object.assign(new Event('error'), { error })));
      }
    }
    const dial = dialWebSocket({ url: 'ws://localhost', WebSocket: Failing as unknown as WebSocketClass });
    const error = await rejection(dial(new AbortController().signal));
    expect(error).to.have.property('message', 'refused at ::1; refused at 127.0.0.1');
  });

  it('from Node reports the other answer of the server', async () => {
    const http = createHttpServer((_request, response) => response.writeHead(403).end());
    whenTestEnds(() => http.close());
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { port } = http.address() as { port: number };
    const error = await rejection(dialFromNode({ url: `ws://127.0.0.1:${port}` })(new AbortController().signal));
    expect(error).to.be.instanceOf(Error).and.include({ message: 'Unexpected server response: 403' });
  });

  it('from Node accepts certificates only for TLS', () => {
    expect(() => dialFromNode({ url: 'ws://locks.example/', tls: {} })).to.throw(
      TypeError,
      'url is "ws://locks.example/"; expected one that begins with wss://, since tls is given',
    );
    expect(() => dialFromNode({ url: 'http://locks.example/', tls: {} })).to.throw(TypeError, 'ws:// or wss://');
  });
});
