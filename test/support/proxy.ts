import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP proxy on loopback whose network can fail in the ways that real ones do. */
export class Proxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private mode: 'open' | 'frozen' | 'cut' = 'open';
  private readonly frozen = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly targetPort: number,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  /** @param target `http://127.0.0.1:<port>` or a port */
  static start(target: string | number): Promise<Proxy> {
    const targetPort = typeof target === 'number' ? target : Number(new URL(target).port);
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        resolve(new Proxy(server, (server.address() as AddressInfo).port, targetPort));
      });
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Half open: connections stay, bytes vanish, new connections hear nothing. */
  freeze(): void {
    this.mode = 'frozen';
    for (const [client, server] of this.pairs) {
      client.unpipe(server).resume();
      server.unpipe(client).resume();
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
    const server = connect(this.targetPort, '127.0.0.1');
    const pair = [client, server] as const;
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    client.pipe(server).pipe(client);
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
