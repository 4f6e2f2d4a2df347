import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A TCP proxy whose network can fail in the ways that real ones do. */
export class Proxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private mode: 'open' | 'frozen' | 'cut' = 'open';
  private readonly frozen = new Set<Socket>();
  /** Each chunk arrives so much later, in both directions and in order, milliseconds. */
  delayMs: () => number = () => 0;

  private constructor(
    private readonly server: Server,
    readonly address: string,
    readonly port: number,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  /**
   * @param target `http://<host>:<port>`, or a port of loopback
   * @param listen address to listen on
   * @param address under which it is reached
   */
  static start(target: string | number, listen = '127.0.0.1', address = listen): Promise<Proxy> {
    const url = new URL(typeof target === 'number' ? `http://127.0.0.1:${target}` : target);
    const to = { host: url.hostname, port: Number(url.port) };
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, listen, () => {
        resolve(new Proxy(server, address, (server.address() as AddressInfo).port, to));
      });
    });
  }

  get endpoint(): string {
    return `http://${this.address}:${this.port}`;
  }

  /** Half open: connections stay, bytes vanish, new connections hear nothing. */
  freeze(): void {
    this.mode = 'frozen';
    for (const [client, server] of this.pairs) {
      client.unpipe().resume();
      server.unpipe().resume();
    }
  }

  /** Connections are reset, and new ones too. */
  cut(): void {
    this.mode = 'cut';
    this.drop();
  }

  /** New connections work again; those that were frozen or cut are gone. */
  heal(): void {
    this.drop();
    this.mode = 'open';
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.mode === 'cut') return void client.resetAndDestroy();
    if (this.mode === 'frozen') return void this.frozen.add(client.resume());
    const server = connect(this.target);
    const pair = [client, server] as const;
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    const [up, down] = [this.late(), this.late()];
    client.pipe(up.line).pipe(server);
    server.pipe(down.line).pipe(client);
    for (const socket of pair) socket.on('error', end);
    // Who hangs up does so at the far end: what is on the line arrives first.
    const hangUp = async (other: Socket, arrived: () => Promise<void>) => {
      await arrived();
      this.pairs.delete(pair);
      other.destroySoon();
    };
    client.on('close', () => void hangUp(server, up.arrived));
    server.on('close', () => void hangUp(client, down.arrived));
  }

  /** Delays each chunk without holding up those behind it: a slow line, not a narrow one. */
  private late(): { readonly line: Transform; readonly arrived: () => Promise<void> } {
    let dueMs = 0;
    let last = Promise.resolve();
    const line: Transform = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const nowMs = performance.now();
        dueMs = Math.max(dueMs, nowMs + this.delayMs());
        if (dueMs <= nowMs) return done(null, chunk);
        const due = new Promise<void>((resolve) => setTimeout(resolve, dueMs - nowMs));
        last = Promise.all([last, due]).then(() => void (this.mode === 'open' && !line.destroyed && line.push(chunk)));
        done();
      },
      flush: (flushed) => void last.then(() => flushed()),
    });
    return { line, arrived: () => last };
  }

  private drop(): void {
    for (const [client, server] of this.pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
    for (const socket of this.frozen) socket.resetAndDestroy();
    this.pairs.clear();
    this.frozen.clear();
  }
}
