// Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from './generated/client/index.js';
import { login, refresh } from './generated/sdk.gen.js';
import type { Problem, SignIn } from './generated/types.gen.js';

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

  static async by(response: Response): Promise<Refused> {
    const isProblem = response.headers.get('Content-Type') === 'application/problem+json';
    const problem = isProblem ? ((await response.json()) as Problem) : undefined;
    return new Refused(response.status, problem, Number(response.headers.get('Retry-After')) * 1000 || 0);
  }
}

/** Throws what was refused, so that calls need no check: they are made with `throwOnError`. */
const sendOrThrow = async (request: Request): Promise<Response> => {
  const response = await fetch(request);
  if (!response.ok) throw await Refused.by(response);
  return response;
};

/** A client that throws `Refused`. */
export const anonymousAt = (baseUrl: string): Client =>
  createClient({ baseUrl, throwOnError: true, fetch: (request) => sendOrThrow(request as Request) });

export class Session {
  /** Calls as the person who signed in. */
  readonly client: Client;
  /** How often the access token was renewed. */
  renewals = 0;
  readonly #anonymous: Client;
  #tokens: SignIn;
  #renewing: Promise<void> | undefined;

  private constructor(baseUrl: string, tokens: SignIn) {
    this.#tokens = tokens;
    this.#anonymous = anonymousAt(baseUrl);
    const fetch = (request: RequestInfo | URL) => this.#send(request as Request);
    this.client = createClient({ baseUrl, throwOnError: true, fetch });
  }

  static async signIn(baseUrl: string, username: string, password: string): Promise<Session> {
    const client = anonymousAt(baseUrl);
    const { data } = await login({ client, body: { username, password }, throwOnError: true });
    return new Session(baseUrl, data);
  }

  async #send(request: Request): Promise<Response> {
    const again = request.clone();
    try {
      return await sendOrThrow(this.#signed(request));
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      // Calls that meet a 401 at the same time share one renewal: a refresh token is good for one use.
      this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
      await this.#renewing;
      return sendOrThrow(this.#signed(again));
    }
  }

  #signed(request: Request): Request {
    request.headers.set('Authorization', `Bearer ${this.#tokens.access_token}`);
    return request;
  }

  async #renew(): Promise<void> {
    const body = { refresh_token: this.#tokens.refresh_token! };
    const ask = async () => (await refresh({ client: this.#anonymous, body, throwOnError: true })).data;
    this.#tokens = await ask().catch(async (refused: unknown) => {
      if (!(refused instanceof Refused) || !refused.retryAfterMs) throw refused;
      // The server is too busy for now, and the refresh token is still good: try once more.
      await sleep(refused.retryAfterMs);
      return ask();
    });
    this.renewals += 1;
  }
}
