// Owns what can be completed in a room: its members, the reader's rooms, emoji. Must not know where the list is shown.
import { t } from '../../messages';
import type { Chat } from '../../state/chat.svelte';
import type { OpenRoom } from '../../state/room.svelte';
import type { Source } from './completion.svelte';
import type { Habits } from './habits.svelte';

export const sourceOf = (room: OpenRoom, chat: Chat, habits: Habits): Source => ({
  async person() {
    // Members come in pages: each letter that is typed brings the next, so that in the end everybody can be found.
    if (room.roster.more) await room.roster.showMore();
    return room.roster.members.map((member) => {
      const { id, username, display_name } = chat.people.now(member.user);
      return { id, insert: `@${username}`, label: display_name, note: `@${username}` };
    });
  },
  room: () =>
    chat.rooms.list.map(({ state, label }) => ({
      id: state.id,
      insert: `#${state.name}`,
      label,
      note: label === state.name ? '' : `#${state.name}`,
    })),
  async emoji(letters) {
    // Most messages are written without one, so what knows of emoji comes when it is asked for.
    const { emojiGroups, findEmoji, written } = await import('../../text/emoji-list');
    return findEmoji(await emojiGroups(t.lang), letters).map((entry) => ({
      insert: written(entry, habits.tone),
      label: `:${entry.codes[0]}:`,
      note: entry.name,
    }));
  },
});
