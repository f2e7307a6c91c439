// Owns when a person's username is shown beside the display name. Must not know where.
import type { UserRef } from '../api/types';

/** Nothing when both are the same text, which readers would see twice. */
export const handleBeside = (user: UserRef): string =>
  user.display_name === user.username ? '' : `@${user.username}`;
