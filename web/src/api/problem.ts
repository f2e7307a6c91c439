// Owns what a failed call looks like to the rest of the client: one error type, from RFC 9457 problems and from
// networks that gave no answer. Must not know which call failed.

export interface FieldProblem {
  pointer: string;
  detail: string;
}

export class Problem extends Error {
  constructor(
    /** The HTTP status; 0 when there was no answer at all. */
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail = '',
    readonly fields: FieldProblem[] = [],
    /** Seconds the server asked to wait, if it did. */
    readonly retryAfter = 0,
  ) {
    super(detail || title);
    this.name = 'Problem';
  }

  /** True when the same call may work later: no answer, overload, or a server in trouble. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** True when the server takes no requests from pages at this address, whatever they ask. */
  get here(): boolean {
    return ['cross_origin', 'insecure_transport'].includes(this.code);
  }

  /** What the server says about one field of the request body, by its JSON pointer, in its words. */
  field(name: string): string {
    const found = this.fields.find((field) => field.pointer.replace(/^#?\//, '') === name);
    return found?.detail ?? '';
  }

  static noAnswer(): Problem {
    return new Problem(0, 'no_answer', '');
  }

  /** A problem that was written down as JSON, as `state/unsent.ts` does. */
  static restore(kept: Partial<Problem>): Problem {
    const { status, code, title, detail, retryAfter } = kept;
    const [text, count] = [
      (value: unknown) => (typeof value === 'string' ? value : ''),
      (value: unknown) => (typeof value === 'number' ? value : 0),
    ];
    return new Problem(count(status), text(code), text(title), text(detail), [], count(retryAfter));
  }

  static from(body: unknown, response: Response): Problem {
    const seen = (typeof body === 'object' && body !== null ? body : {}) as Partial<{
      code: string;
      title: string;
      detail: string;
      errors: FieldProblem[];
    }>;
    const wait = Number(response.headers.get('Retry-After') ?? 0);
    return new Problem(
      response.status,
      seen.code ?? 'unknown',
      seen.title ?? '',
      seen.detail ?? '',
      Array.isArray(seen.errors) ? seen.errors : [],
      Number.isFinite(wait) ? wait : 0,
    );
  }
}
