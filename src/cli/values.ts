import { isIP } from 'node:net';
import { statSync } from 'node:fs';
import { parseDuration } from './duration';

/** Parsers of flag values. Each throws an Error whose message starts with "must". */

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** True when it was written with `https://`. */
  readonly tls: boolean;
}

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

export function text(value: string): string {
  return value;
}

/** An IP address or a host name; IPv6 may be in brackets, which are taken off. */
export function host(value: string): string {
  const bare = value.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) === 0 && !HOST_NAME.test(bare)) throw new Error('must be an IP address or a host name');
  // `1.2.3` and `300.1.1.1` pass as host names, but nobody means one.
  if (isIP(bare) === 0 && /^[\d.]+$/.test(bare)) throw new Error('must be an IP address or a host name');
  return bare;
}

/** True for addresses that only this machine can reach. A name other than `localhost` may resolve to anything: false. */
export function isLoopback(address: string): boolean {
  const bare = address.toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** 1 to 65535, or 0 for "any free port". */
export function port(value: string): number {
  const number = Number(value);
  if (!/^\d{1,5}$/.test(value) || number > 65_535) throw new Error('must be a port from 0 to 65535');
  return number;
}

export function count(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d{1,15}$/.test(value) || number < least || number > most)
      throw new Error(`must be a whole number from ${least} to ${most}`);
    return number;
  };
}

/** A duration in milliseconds within bounds (milliseconds, inclusive). */
export function duration(leastMs: number, mostMs: number): (value: string) => number {
  return (value) => {
    const ms = parseDuration(value);
    if (ms < leastMs || ms > mostMs) throw new Error(`must be between ${leastMs} ms and ${mostMs} ms`);
    return ms;
  };
}

export function oneOf<const T extends string>(choices: readonly T[]): (value: string) => T {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new Error(`must be one of ${choices.join(', ')}`);
    return found;
  };
}

/** `a,b,c`; empty entries are refused. */
export function listOf<T>(parse: (item: string) => T): (value: string) => readonly T[] {
  return (value) =>
    value.split(',').map((item) => {
      if (item.trim() === '') throw new Error('must be a list separated by commas, without empty entries');
      return parse(item.trim());
    });
}

/** `host`, `host:port`, `https://host:port`, `[::1]:port`. */
export function endpoint(defaultPort: number): (value: string) => Endpoint {
  return (value) => {
    const match = /^(?:(https?):\/\/)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(value);
    if (match?.[2] === undefined) throw new Error('must be host:port, with http:// or https:// in front if you like');
    return {
      host: host(match[2]),
      port: match[3] === undefined ? defaultPort : port(match[3]),
      tls: match[1] === 'https',
    };
  };
}

/** `http://host:port` or `https://host:port`; a bare `host:port` counts as http. Normalised, without a trailing slash. */
export function etcdEndpoint(value: string): string {
  const { host: name, port: number, tls } = endpoint(2379)(value);
  return `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${number}`;
}

/** A file that exists and is not a folder. */
export function existingFile(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error('must be a file that exists');
  if (stat.isDirectory()) throw new Error('must be a file, not a folder');
  return path;
}

/** Mesos: roles, cluster names and the like end up in labels and paths. */
export function name(value: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(value))
    throw new Error('must be letters, digits, dots, dashes and underscores, at most 63');
  return value;
}
