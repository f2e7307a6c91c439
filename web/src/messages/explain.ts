// Owns how a refusal of the server is told in the reader's language: by its code, and by the rule that a field broke. Must
// not know the language.
import type { Problem } from '../api/problem';
import { t } from '.';
import { sentence } from '../text/sentence';

/** The text for a failed call when no field is the reason. A code newer than this client is told in the server's words. */
export function explain(problem: Problem): string {
  if (problem.status === 0) return t.problems.no_answer;
  if (problem.code === 'too_many_requests') return t.tooFast(problem.retryAfter);
  if (problem.here) return t.unknownAddress(location.origin);
  const { code } = problem;
  if (isKnown(code)) return t.problems[code];
  return sentence(problem.detail || problem.title) || t.problems.unknown;
}

const isKnown = (code: string): code is keyof typeof t.problems => Object.hasOwn(t.problems, code);

/** Codes that are about one field, though the server names none. */
const fieldOf: Record<string, string[]> = {
  username_taken: ['username'],
  user_not_found: ['username'],
  room_name_taken: ['name'],
  wrong_password: ['current_password'],
  password_too_common: ['password', 'new_password'],
};

/** What is wrong with one field of the request body (a JSON pointer without its slash), or nothing. */
export function fault(problem: Problem | null, field: string): string {
  if (!problem) return '';
  if (fieldOf[problem.code]?.includes(field)) return explain(problem);
  const detail = problem.field(field);
  return detail && (rule(detail) ?? sentence(detail));
}

/** The server says which rule a text broke in English only; its words are recognised here. */
function rule(detail: string): string | undefined {
  const rules: [RegExp, (some: string) => string][] = [
    [/^must not be empty$/, () => t.rules.empty],
    [/^must be at most (\d+) characters$/, (n) => t.rules.tooLong(Number(n))],
    [/^must be at least (\d+) characters$/, (n) => t.rules.tooShort(Number(n))],
    [/^may contain only (.*)$/, (allowed) => t.rules.pattern(allowed.split(/, | and /))],
    [/^must not be written like an id$/, () => t.rules.likeAnId],
    [/^contains a character that is not allowed$/, () => t.rules.forbidden],
    [/^must contain something visible$/, () => t.rules.invisible],
    [/^must have at most (\d+) lines$/, (n) => t.rules.tooManyLines(Number(n))],
    [/^is reserved$/, () => t.rules.reserved],
    [/^is required$/, () => t.rules.empty],
  ];
  for (const [words, text] of rules) {
    const found = words.exec(detail);
    if (found) return text(found[1] ?? '');
  }
}
