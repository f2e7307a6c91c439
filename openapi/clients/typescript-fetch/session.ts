// Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.
import { setTimeout as sleep } from 'node:timers/promises';
import createClient, { type Client } from 'openapi-fetch';
import type { paths, Problem, SignIn } from './generated/parlor.js';

export type Parlor = Client<paths>;

/** A request that was refused. An answer that is not of this API, from a proxy perhaps, has no problem. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem?: Problem,
    /** How long the server asks to wait before another try. */
    readonly retryAfterMs = 0,
  ) {
    super(problem ? `${problem.title} (${problem.code})` : `status ${status}`);
  }
}

/** What a call gave; its problem is thrown. */
export function given<T>(answer: { data?: T; error?: Problem; response: Response }): T {
  // What is not JSON, openapi-fetch gives as the text that it is.
  const problem = typeof answer.error === 'object' ? answer.error : undefined;
  const retryAfterMs = Number(answer.response.headers.get('Retry-After')) * 1000 || 0;
  if (!answer.response.ok) throw new Refused(answer.response.status, problem, retryAfterMs);
  return answer.data as T;
}

export class Session {
  /** Calls as the person who signed in. */
  readonly api: Parlor;
  /** How often the access token was renewed. */
  renewals = 0;
  #tokens: SignIn;
  #renewing: Promise<void> | undefined;

  private constructor(
    readonly anonymous: Parlor,
    baseUrl: string,
    tokens: SignIn,
  ) {
    this.#tokens = tokens;
    this.api = createClient<paths>({ baseUrl, fetch: (request) => this.#send(request) });
  }

  static async signIn(baseUrl: string, username: string, password: string): Promise<Session> {
    const anonymous = createClient<paths>({ baseUrl });
    const tokens = given(await anonymous.POST('/v1/login', { body: { username, password } }));
    return new Session(anonymous, baseUrl, tokens);
  }

  async #send(request: Request): Promise<Response> {
    const again = request.clone();
    const response = await fetch(this.#signed(request));
    if (response.status !== 401) return response;
    // Calls that meet a 401 at the same time share one renewal: a refresh token is good for one use.
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    await this.#renewing;
    return fetch(this.#signed(again));
  }

  #signed(request: Request): Request {
    request.headers.set('Authorization', `Bearer ${this.#tokens.access_token}`);
    return request;
  }

  async #renew(): Promise<void> {
    const body = { refresh_token: this.#tokens.refresh_token! };
    const ask = async () => given(await this.anonymous.POST('/v1/refresh', { body }));
    this.#tokens = await ask().catch(async (refused: unknown) => {
      if (!(refused instanceof Refused) || !refused.retryAfterMs) throw refused;
      // The server is too busy for now, and the refresh token is still good: try once more.
      await sleep(refused.retryAfterMs);
      return ask();
    });
    this.renewals += 1;
  }
}
