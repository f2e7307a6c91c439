// Owns a person who uses the API with a token, without a browser. Must not know pages.

export const password = 'correct horse battery';

export interface ApiRoom {
  id: string;
  name: string;
  last_seq: number;
}

export interface ApiMessage {
  id: string;
  seq: number;
  body: string;
}

/** The server answers 503 before it changes anything when hashing has no free turn, so a loaded machine may simply try again. */
export const isOverload = (problem: string): boolean => JSON.parse(problem).code === 'overloaded';

let counter = 0;

/** A name that no other test in this run uses. Digits, so that letters which a test searches for are found in the stem alone. */
export const unique = (stem: string): string => `${stem}-${process.pid}-${counter++}`;

export class Person {
  #token = '';

  private constructor(
    readonly url: string,
    readonly username: string,
  ) {}

  static async register(url: string, stem: string, display_name?: string): Promise<Person> {
    const person = new Person(url, unique(stem));
    const { username } = person;
    await person.call('POST', '/v1/users', { username, password, display_name });
    await person.signIn();
    return person;
  }

  async signIn(): Promise<void> {
    const { username } = this;
    this.#token = '';
    const answer = await this.call<{ access_token: string }>('POST', '/v1/login', {
      username,
      password,
    });
    this.#token = answer.access_token;
  }

  createRoom(stem: string, more: object = {}): Promise<ApiRoom> {
    return this.call('POST', '/v1/rooms', { name: unique(stem), ...more });
  }

  join(room: ApiRoom): Promise<void> {
    return this.call('POST', `/v1/rooms/${room.id}/join`);
  }

  post(room: ApiRoom, body: string): Promise<ApiMessage> {
    return this.call('POST', `/v1/rooms/${room.id}/messages`, { body });
  }

  async bodies(room: ApiRoom): Promise<string[]> {
    const path = `/v1/rooms/${room.id}/messages?limit=200`;
    const page = await this.call<{ items: ApiMessage[] }>('GET', path);
    return page.items.map((message) => message.body);
  }

  async endAllSessions(): Promise<void> {
    const { items } = await this.call<{ items: { id: string; current: boolean }[] }>(
      'GET',
      '/v1/sessions',
    );
    for (const session of items) {
      if (!session.current) await this.call('DELETE', `/v1/sessions/${session.id}`);
    }
  }

  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers: Record<string, string> = {};
    if (body) headers['Content-Type'] = 'application/json';
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const init = { method, headers, body: body && JSON.stringify(body) };
    const response = await fetch(this.url + path, init);
    const text = await response.text();
    if (response.ok) return (text ? JSON.parse(text) : undefined) as T;
    if (response.status !== 503 || !isOverload(text)) {
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
    }
    return this.call(method, path, body);
  }
}
