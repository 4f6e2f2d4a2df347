import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { messageOf, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { AgentCall, AgentEvent, AgentLink, AgentSession } from '../../core/ports/agent-link';
import { exchange, textOf } from './exchange';
import { RecordDecoder } from './recordio';

export interface HttpAgentLinkOptions {
  /** Mesos ports of the servers; any of them knows the leader. */
  readonly masters: readonly { readonly host: string; readonly port: number; readonly tls: boolean }[];
  readonly token?: string;
  /** PEM of the servers' authority. */
  readonly ca?: string;
  /** Milliseconds for a call, and for the stream to open. */
  readonly callMs?: number;
}

const PATH = '/api/v1/agent';
const WHO_LEADS = '/redirect';
const STREAM_ID = 'mesos-stream-id';
/** Hops from a server that does not lead to the one that does; more is a loop. */
const MAX_REDIRECTS = 3;
/** Calls of one agent under way at once. */
const MAX_CALLS = 4;

type SubscribeCall = Extract<AgentCall, { type: 'SUBSCRIBE' }>;

/** The agent's end of the link over HTTP: asks the servers in turn, follows 307 to the leader, keeps the stream open. */
export class HttpAgentLink implements AgentLink {
  /** Where the last connection was, or the next one to ask. */
  private next = 0;
  /** The server of the last stream, or of the attempt under way. */
  private latest: URL | undefined;

  constructor(private readonly options: HttpAgentLinkOptions) {}

  async connect(
    subscribe: SubscribeCall,
    onEvent: (event: AgentEvent) => void,
    onClosed: (reason: string) => void,
    signal?: AbortSignal,
  ): Promise<AgentSession> {
    const failures: string[] = [];
    const { masters } = this.options;
    for (let tried = 0; tried < masters.length; tried++) {
      const master = masters[this.next % masters.length];
      if (master === undefined) break;
      const url = urlOf(master, PATH);
      try {
        return await this.open(url, subscribe, onEvent, onClosed, signal);
      } catch (error) {
        failures.push(`${url.host}: ${messageOf(error)}`);
        this.next++;
        if (signal?.aborted === true) break;
      }
    }
    throw new UnavailableError('the leading master', { detail: failures.join('; ') });
  }

  async hasOtherLeader(): Promise<boolean> {
    const { latest } = this;
    if (latest === undefined) return false;
    const others = this.options.masters
      .map((master) => urlOf(master, WHO_LEADS))
      .filter(({ host }) => host !== latest.host);
    const leaders = await Promise.all(others.map((url) => this.leaderOf(url)));
    return leaders.some((leader) => leader !== undefined && leader !== latest.host);
  }

  /** host:port of who leads, as this server says. */
  private async leaderOf(url: URL): Promise<string | undefined> {
    try {
      const { ca } = this.options;
      const request = { url, method: 'GET', headers: headersOf(this.options), body: '', timeoutMs: LIMITS.whoLeadsMs };
      const response = await exchange(ca === undefined ? request : { ...request, ca });
      response.destroy();
      const { location } = response.headers;
      return location === undefined ? undefined : new URL(location, url).host;
    } catch {
      return undefined; // it may be as dead as the leader
    }
  }

  private async open(
    first: URL,
    subscribe: SubscribeCall,
    onEvent: (event: AgentEvent) => void,
    onClosed: (reason: string) => void,
    signal: AbortSignal | undefined,
  ): Promise<AgentSession> {
    const onSilence = () => void this.next++;
    let url = first;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      this.latest = url;
      const response = await this.post(url, subscribe, signal);
      const { statusCode, headers } = response;
      if (signal?.aborted === true) {
        response.destroy();
        throw new Error('given up');
      }
      if (statusCode === 200)
        return new HttpAgentSession(this.options, url, response, { onEvent, onClosed, onSilence });
      const text = (await textOf(response, LIMITS.execOutputBytes)).trim();
      if (statusCode !== 307 || headers.location === undefined) throw new Error(`${statusCode} ${text}`);
      url = new URL(headers.location, url);
    }
    throw new Error('the servers send us in circles');
  }

  private post(url: URL, call: SubscribeCall, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    return exchange({
      url,
      method: 'POST',
      headers: headersOf(this.options),
      body: JSON.stringify(call),
      timeoutMs: this.options.callMs ?? LIMITS.agentCallMs,
      ...(this.options.ca === undefined ? {} : { ca: this.options.ca }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

interface StreamListener {
  onEvent(event: AgentEvent): void;
  onClosed(reason: string): void;
  /** The agent has given up an open stream. */
  onSilence(): void;
}

class HttpAgentSession implements AgentSession {
  private readonly calls: HttpAgent;
  private isOpen = true;

  constructor(
    private readonly options: HttpAgentLinkOptions,
    private readonly url: URL,
    private readonly stream: IncomingMessage,
    private readonly listener: StreamListener,
  ) {
    const keep = { keepAlive: true, maxSockets: MAX_CALLS };
    this.calls = url.protocol === 'https:' ? new HttpsAgent(keep) : new HttpAgent(keep);
    const decoder = new RecordDecoder();
    stream.on('data', (chunk: Buffer) => this.take(decoder, chunk));
    stream.on('error', (error) => this.end(messageOf(error)));
    stream.on('close', () => this.end('the stream of the master ended'));
  }

  async send(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): Promise<void> {
    if (!this.isOpen) throw new UnavailableError('the master', { detail: 'the session is closed' });
    const response = await this.post(call);
    const text = (await textOf(response, LIMITS.execOutputBytes)).trim();
    if (response.statusCode === 202) return;
    // The server no longer knows this session (it lost leadership, or started anew): a new one is needed.
    this.end(`${response.statusCode} ${text}`);
    throw new UnavailableError('the master', { detail: `${response.statusCode} ${text}` });
  }

  /** A stream that is given up while it is open was silent: the next server is asked before its leader is. */
  close(): void {
    if (this.isOpen) this.listener.onSilence();
    this.shut();
  }

  private shut(): void {
    this.isOpen = false;
    this.stream.destroy();
    this.calls.destroy();
  }

  private async post(call: AgentCall): Promise<IncomingMessage> {
    const streamId = this.stream.headers[STREAM_ID];
    try {
      return await exchange({
        url: this.url,
        method: 'POST',
        headers: { ...headersOf(this.options), ...(typeof streamId === 'string' ? { [STREAM_ID]: streamId } : {}) },
        body: JSON.stringify(call),
        timeoutMs: this.options.callMs ?? LIMITS.agentCallMs,
        agent: this.calls,
        ...(this.options.ca === undefined ? {} : { ca: this.options.ca }),
      });
    } catch (error) {
      throw new UnavailableError('the master', { cause: error, detail: messageOf(error) });
    }
  }

  /** What this version does not know is the agent's to ignore; what is no RecordIO ends the session. */
  private take(decoder: RecordDecoder, chunk: Buffer): void {
    if (!this.isOpen) return;
    let events: unknown[];
    try {
      events = decoder.push(chunk);
    } catch (error) {
      return this.end(messageOf(error));
    }
    for (const event of events) if (this.isOpen) this.listener.onEvent(event as AgentEvent);
  }

  private end(reason: string): void {
    if (!this.isOpen) return;
    this.shut();
    this.listener.onClosed(reason);
  }
}

function headersOf({ token }: HttpAgentLinkOptions): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

function urlOf({ host, port, tls }: HttpAgentLinkOptions['masters'][number], path: string): URL {
  return new URL(`${tls ? 'https' : 'http'}://${bracketed(host)}:${port}${path}`);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
