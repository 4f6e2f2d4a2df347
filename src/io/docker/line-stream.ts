import { StringDecoder } from 'node:string_decoder';

/** A line longer than this is cut: no answer of the engine has such lines, and memory is bounded. */
const MAX_LINE_CHARS = 1_000_000;

/** The lines of a text stream, without their ends. Empty ones are left out. */
export async function* lines(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.write(chunk);
    const parts = rest.split('\n');
    rest = (parts.pop() ?? '').slice(-MAX_LINE_CHARS);
    for (const part of parts) if (part.trim() !== '') yield part;
  }
  if (rest.trim() !== '') yield rest;
}
