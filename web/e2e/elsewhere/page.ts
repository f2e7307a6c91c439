// A page on another origin than Parlor's, with the generated client and a token of its own. The test tells it what to do.
import { client } from '../../src/api/generated/client.gen.ts';
import * as api from '../../src/api/generated/sdk.gen.ts';

/** What the page offers to the test. */
export interface Elsewhere {
  api: typeof api;
  /** Calls go to this server from now on; with the token, if there is one. */
  use(baseUrl: string, token?: string): void;
  /** Follows a room; `heard` gets what was said in it. */
  follow(room: string): Promise<void>;
  heard: string[];
  /** What the stream complained about: the client tries again by itself. */
  broken: string[];
}

declare global {
  interface Window {
    elsewhere: Elsewhere;
  }
}

window.elsewhere = {
  api,
  heard: [],
  broken: [],
  use(baseUrl, token) {
    client.setConfig({ baseUrl, ...(token && { auth: token }) });
  },
  async follow(room) {
    const { stream } = await api.streamRoomEvents({
      path: { room },
      onSseError: (error) => this.broken.push(String(error)),
    });
    for await (const event of stream) {
      if (event.message) this.heard.push(event.message.body);
    }
  },
};
