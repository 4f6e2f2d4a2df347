import { BadRequestError, TooLargeError, UnavailableError } from '../../../src/core/errors';
import { BadGatewayError } from '../../../src/api/http/proxy';

export function statusOf(error: Error | undefined): number {
  if (error instanceof BadRequestError) return 400;
  if (error instanceof TooLargeError) return 413;
  if (error instanceof UnavailableError) return 503;
  if (error instanceof BadGatewayError) return 502;
  return 500;
}
