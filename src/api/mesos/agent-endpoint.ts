import type { Request, Response } from 'express';
import type { IdSource } from '../../core/ports/ids';
import type { Logger } from '../../core/ports/logger';
import type { AgentCall } from '../../core/ports/agent-link';
import { BerthError, messageOf, TooLargeError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { encodeRecord } from '../../core/records/recordio';
import type { AgentConnection } from '../../master/agents';
import type { Master } from '../../master/master';
import { readBody } from '../http/body';
import type { StreamRegistry } from '../http/event-stream';
import { parseAgentCall } from './agent-calls';

const STREAM_ID = 'Mesos-Stream-Id';

export interface AgentEndpointDeps {
  readonly currentMaster: () => Master | undefined;
  readonly streams: StreamRegistry;
  readonly ids: IdSource;
  readonly log: Logger;
}

interface OpenStream {
  readonly master: Master;
  readonly connection: AgentConnection;
}

/**
 * `POST /api/v1/agent`: SUBSCRIBE opens the stream of events (RecordIO, one record a chunk), every other call carries the
 * stream's id and is answered with 202. Codes and order of checks as in Mesos' scheduler API.
 */
export class AgentEndpoint {
  private readonly open = new Map<string, OpenStream>();

  constructor(private readonly deps: AgentEndpointDeps) {}

  /** Call it on the leader only. */
  async handle(master: Master, request: Request, response: Response): Promise<void> {
    const complaint = complaintAbout(request);
    if (complaint !== undefined) return refuse(response, complaint.status, complaint.message);
    let call: AgentCall;
    try {
      call = parseAgentCall(await readBody(request, LIMITS.agentCallBytes));
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      return refuse(response, error instanceof TooLargeError ? 413 : 400, error.message);
    }
    if (call.type === 'SUBSCRIBE') this.subscribe(master, call, request, response);
    else this.receive(master, call, request, response);
  }

  private subscribe(
    master: Master,
    call: Extract<AgentCall, { type: 'SUBSCRIBE' }>,
    request: Request,
    response: Response,
  ): void {
    if (request.headers['mesos-stream-id'] !== undefined)
      return refuse(response, 400, `Subscribe calls should not include the '${STREAM_ID}' header`);
    if (!master.isRunning) return refuse(response, 503, 'No leader elected');
    const streamId = this.deps.ids.uuid();
    const stream = this.deps.streams.start(request, response, {
      headers: { 'Content-Type': 'application/json', [STREAM_ID]: streamId },
      outstandingEvents: LIMITS.agentOutstandingEvents,
      outstandingBytes: LIMITS.agentOutstandingBytes,
    });
    const sink = {
      send: (event: unknown) => void stream.send(encodeRecord(event)),
      close: () => stream.end(),
    };
    try {
      const connection = master.connectAgent(call.subscribe, sink);
      this.open.set(streamId, { master, connection });
      stream.onClose((reason) => {
        this.open.delete(streamId);
        connection.closed(reason);
      });
    } catch (error) {
      this.deps.log.warn('an agent cannot be connected', { error: messageOf(error) });
      stream.end();
    }
  }

  private receive(
    master: Master,
    call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>,
    request: Request,
    response: Response,
  ): void {
    const streamId = request.get(STREAM_ID);
    if (streamId === undefined)
      return refuse(response, 400, `All non-subscribe calls should include the '${STREAM_ID}' header`);
    const stream = this.open.get(streamId);
    if (stream === undefined || stream.master !== master || stream.connection.agentId !== call.agentId)
      return refuse(response, 403, 'Agent is not subscribed');
    stream.connection.receive(call);
    response.status(202).end();
  }
}

/** Mesos: checks 3 to 5 of its scheduler API. */
function complaintAbout(request: Request): { readonly status: number; readonly message: string } | undefined {
  if (request.method !== 'POST')
    return { status: 405, message: "Expecting one of { 'POST' }, but received something else" };
  const type = request.get('Content-Type');
  if (type === undefined) return { status: 400, message: "Expecting 'Content-Type' to be present" };
  if (type.split(';', 1)[0]?.trim().toLowerCase() !== 'application/json')
    return { status: 415, message: "Expecting 'Content-Type' of application/json" };
  return undefined;
}

export function refuse(response: Response, status: number, message: string): void {
  response.status(status);
  if (status === 405) response.setHeader('Allow', 'POST');
  if (status === 503) response.setHeader('Retry-After', '1');
  if (!response.req.complete) response.setHeader('Connection', 'close');
  response.type('text/plain').send(message);
}
