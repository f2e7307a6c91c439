// Owns which pieces of a text are addresses, where they end, and which addresses a link may lead to. Must not know
// Markdown.

export interface Address {
  start: number;
  end: number;
  href: string;
}

/**
 * Characters that turn the direction of the text around them or have no width. With them an address could look like
 * another one, so links are shown and followed without them.
 */
const hidden = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

export const withoutHidden = (text: string): string => text.replace(hidden, '');

// No address goes on behind one of these: control characters, what marks quotes and code, quotation marks and dashes of
// typography, the punctuation of Chinese, Japanese, Arabic and Hindi (but 々 and 〇, which are letters), and hidden ones.
const stop =
  '\\s\\0-\\x1f\\x7f-\\x9f<>"`«»\\u00ad\\u060c\\u061b\\u061c\\u061f\\u0964\\u200b-\\u200f\\u2014\\u2015\\u2018-\\u201f' +
  '\\u2026\\u2028-\\u202f\\u2039\\u203a\\u205f-\\u206f\\u3000-\\u3004\\u3008-\\u3020\\u3030\\ufe10-\\ufe1f' +
  '\\ufe30-\\ufe6f\\ufeff\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65';

const begin = /(https?:\/\/|www\.|mailto:)|@/gi;
const rest = new RegExp(`(?:(?!\\*\\*|~~)[^${stop}])*`, 'uy');
const cjk = '\\u3040-\\u30ff\\u3400-\\u9fff\\uac00-\\ud7af';
/** A complete host of ASCII letters that a Chinese, Japanese or Korean word follows without a space. */
const hostThenWord = new RegExp(
  `^[a-z0-9-]+(?:\\.[a-z0-9-]+)*\\.[a-z0-9-]*[a-z0-9](?=[${cjk}])`,
  'i',
);
const wordBefore = /[0-9A-Za-z\u00c0-\u052f]/;
const mailName = /[\w.!#$%&'*+/=?^{|}~-]/;
const mailHost = /(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}(?![\w-])/iy;
/** The longest part before the @ that RFC 5321 allows. */
const longestName = 64;
const ends = /[.,;:!?'*_~]+$/;
const pairs = [
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
] as const;

/** The address that this text is as a whole, or null. */
export function wholeAddress(text: string): Address | null {
  const [first] = findAddresses(text);
  return first?.start === 0 && first.end === text.length ? first : null;
}

/** Every address in a text, in order. Takes time in proportion to the text's length. */
export function findAddresses(text: string): Address[] {
  const found: Address[] = [];
  let from = 0;
  begin.lastIndex = 0;
  for (let match = begin.exec(text); match; match = begin.exec(text)) {
    const lead = match[1];
    const read = lead ? web(text, match.index, lead) : mail(text, match.index, from);
    if (!read) continue;
    from = begin.lastIndex = read.end;
    if (read.href) found.push({ ...read, href: read.href });
  }
  return found;
}

/** An end without a href: nothing up to there is an address, or part of one. */
type Read = { start: number; end: number; href: string | null } | null;

function web(text: string, start: number, lead: string): Read {
  if (start > 0 && wordBefore.test(text[start - 1]!)) return null;
  if (/^mailto/i.test(lead))
    return mail(text, text.indexOf('@', start), start + lead.length, start);
  rest.lastIndex = start + lead.length;
  const host = /^www/i.test(lead) ? lead : '';
  let tail = rest.exec(text)![0];
  const cut = hostThenWord.exec(host + tail);
  if (cut) tail = cut[0].slice(host.length);
  const shown = withoutEnding(lead + tail);
  const href = safeHref(host ? `https://${shown}` : shown);
  if (host && !/^www\.[^./?#]+\.[^./?#]/i.test(shown)) return null;
  // What looks like a mail address within a refused address is its user name.
  return host && !href ? null : { start, end: start + shown.length, href };
}

/** `at` is where the @ stands; the name before it does not reach back beyond `from`. */
function mail(text: string, at: number, from: number, start?: number): Read {
  if (at < from) return null;
  let name = at;
  while (name > from && at - name <= longestName && mailName.test(text[name - 1]!)) name--;
  while (name < at && /[^0-9A-Za-z_]/.test(text[name]!)) name++;
  if (name === at || at - name > longestName || (start !== undefined && name !== from)) return null;
  mailHost.lastIndex = at + 1;
  const host = mailHost.exec(text)?.[0];
  if (!host) return null;
  const address = text.slice(name, at + 1) + host;
  return { start: start ?? name, end: at + 1 + host.length, href: `mailto:${address}` };
}

/** Without the punctuation of the sentence around it, and without brackets that were not opened in it. */
function withoutEnding(text: string): string {
  for (;;) {
    const shorter = text.replace(ends, '');
    const pair = pairs.find(([, close]) => shorter.endsWith(close));
    if (!pair || count(shorter, pair[1]) <= count(shorter, pair[0])) return shorter;
    text = shorter.slice(0, -1);
  }
}

const count = (text: string, char: string): number => text.split(char).length - 1;

/**
 * Where a link may lead: an absolute http, https or mailto address without a user name in it, as the browser reads
 * it. Null for everything else.
 */
export function safeHref(written: string): string | null {
  const text = withoutHidden(written.trim());
  try {
    const url = new URL(/^www\./i.test(text) ? `https://${text}` : text);
    if (url.protocol === 'mailto:') return /^mailto:[^@\s]+@[^@\s]+$/i.test(text) ? url.href : null;
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
    // "https:example.org" and "https:\\example.org" are addresses for a browser, but look like something else.
    if (!/^https?:\/\/[^/\\]/i.test(/^www\./i.test(text) ? `https://${text}` : text)) return null;
    return url.hostname && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}
