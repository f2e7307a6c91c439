// Owns how the generated functions (sdk.gen.ts) ask the server: the address, the body, the answer. It stands in for the
// client that is generated with them (see plugins/client.ts), which knows much that this server does not have. Must not
// know sessions, nor what a failure means.
import type { Client } from './generated/client';

/** What a generated function asks for. */
interface Asked {
  url: string;
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal;
}

/** `data` comes with status 200 to 299, but 204; `error` with others, if it was JSON. */
export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

let send: (request: Request) => Promise<Response>;

/** Every request goes through `by`. */
export function sendBy(by: typeof send): void {
  send = by;
}

const written = (value: unknown) => encodeURIComponent(String(value));

/** Throws what `send` throws, and when an answer breaks off or is no JSON. */
const ask =
  (method: string) =>
  async ({ url, path, query = {}, body, signal }: Asked): Promise<Answer<unknown>> => {
    const address = url.replace(/\{(\w+)\}/g, (_, name: string) => written(path?.[name]));
    const search = Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${written(value)}`)
      .join('&');
    const request = new Request(search ? `${address}?${search}` : address, {
      method,
      signal,
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    const response = await send(request);
    if (!response.ok) return { error: await response.json().catch(() => undefined), response };
    return { data: response.status === 204 ? undefined : await response.json(), response };
  };

export const client = {
  get: ask('GET'),
  post: ask('POST'),
  put: ask('PUT'),
  patch: ask('PATCH'),
  delete: ask('DELETE'),
} as unknown as Pick<Client, 'get' | 'post' | 'put' | 'patch' | 'delete'>;
