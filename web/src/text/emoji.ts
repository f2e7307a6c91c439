// Owns what counts as an emoji in a text. Must not know how large it is shown.

const modifier = '\\p{Emoji_Modifier}';
const single = `(?:\\p{Emoji_Presentation}|\\p{Emoji}(?:\\ufe0f|${modifier}))${modifier}?`;
const tags = '[\\u{e0020}-\\u{e007f}]*';
const joined = `(?:\\u200d\\p{Emoji}\\ufe0f?${modifier}?)*`;
const emoji = `(?:\\p{RI}\\p{RI}|[0-9#*]\\ufe0f?\\u20e3|${single}\\ufe0f?${tags}${joined})`;
const few = new RegExp(`^${emoji}(?:\\s*${emoji}){0,2}$`, 'u');

/** The most code units that three emoji have: a family with skin tones, or a flag of a region, three times. */
const longest = 120;

/** True for one to three emoji with nothing else but spaces between them. */
export const isFewEmoji = (text: string): boolean => text.length <= longest && few.test(text);
