// Owns giving an emoji a skin tone. Must not know which emoji there are.

const base = /(\p{Emoji_Modifier_Base})\ufe0f?/gu;

/** The same emoji with a tone from 1 (light) to 5 (dark), on each person in it; 0 leaves it as it is. */
export const withTone = (emoji: string, tone: number): string =>
  tone ? emoji.replace(base, `$1${String.fromCodePoint(0x1f3fa + tone)}`) : emoji;
