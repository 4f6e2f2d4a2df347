import { networkInterfaces } from 'node:os';

/** The first IPv4 address of this machine that is not loopback; undefined: there is none. */
export function nodeAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}
