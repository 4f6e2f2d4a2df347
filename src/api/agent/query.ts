import type { Request } from 'express';
import { BadRequestError } from '../../core/errors';

/** One query parameter as text; undefined when it is absent or given more than once. */
export function text(request: Request, name: string): string | undefined {
  const value = request.query[name];
  return typeof value === 'string' ? value : undefined;
}

/** Mesos' words when `path` is missing. */
export function requiredPath(request: Request): string {
  const path = text(request, 'path');
  if (path === undefined || path === '') throw new BadRequestError("Expecting 'path=value' in query.");
  return path;
}

/** A whole number of at least `least`; undefined when absent. */
export function integer(request: Request, name: string, least: number): number | undefined {
  const value = text(request, name);
  if (value === undefined || value === '') return undefined;
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least)
    throw new BadRequestError(`Failed to parse ${name}: '${value}' is not a whole number of at least ${least}`);
  return number;
}

export function flag(request: Request, name: string): boolean {
  const value = text(request, name);
  return value !== undefined && value !== 'false' && value !== '0';
}
