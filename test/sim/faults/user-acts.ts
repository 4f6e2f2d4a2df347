import { drawWish } from '../users';
import { at, fault, place, type Fault } from './fault';

/** Users are no fault, but what they do is drawn and replayed in the same way. */
export const USER_ACT: Fault = fault({
  name: 'user',
  weight: 0,
  draw: (dice) => ({ replica: place(dice), ...drawWish(dice) }),
  begin: ({ servers, users }, { replica, ...wish }) => {
    const reached = at(
      servers.flatMap((server) => server.replica ?? []),
      replica,
    );
    if (reached !== undefined) users.act(reached, wish);
  },
});
