// Owns what can be completed in a room: its members, the reader's rooms, emoji. Must not know where the list is shown.
import { t } from '../../messages';
import type { Chat } from '../../state/chat.svelte';
import type { OpenRoom } from '../../state/room.svelte';
import type { Offer, Source } from './completion.svelte';
import type { Habits } from './habits.svelte';

export const sourceOf = (room: OpenRoom, chat: Chat, habits: Habits): Source => ({
  person: {
    find: () =>
      room.roster.members.map((member) => {
        const { id, username, display_name } = chat.people.now(member.user);
        return { id, insert: `@${username}`, label: display_name, note: `@${username}` };
      }),
    // Members come in pages: each letter that is typed brings the next, so that in the end everybody can be found.
    load: () => (room.roster.more ? room.roster.showMore() : undefined),
  },
  room: {
    find: () =>
      chat.rooms.list.map(({ state, label }) => ({
        id: state.id,
        insert: `#${state.name}`,
        label,
        note: label === state.name ? '' : `#${state.name}`,
      })),
  },
  emoji: emojiOf(habits),
});

function emojiOf(habits: Habits): Offer {
  let search: Offer['find'] | undefined;
  return {
    find: (letters) => search?.(letters) ?? [],
    load: () => (search ? undefined : emojiSearch(habits).then((loaded) => (search = loaded))),
  };
}

/** Most messages are written without an emoji, so what knows of them comes when it is asked for. */
async function emojiSearch(habits: Habits): Promise<Offer['find']> {
  const { emojiGroups, findEmoji, written } = await import('../../text/emoji-list');
  const groups = await emojiGroups(t.lang);
  return (letters) =>
    findEmoji(groups, letters).map((entry) => ({
      insert: written(entry, habits.tone),
      label: `:${entry.codes[0]}:`,
      note: entry.name,
    }));
}
