// A page on another origin than Parlor's, with the generated client and a token of its own. The test tells it what to do.
import { client } from '../../src/api/generated/client.gen.ts';
import * as api from '../../src/api/generated/sdk.gen.ts';

/** The functions that the test calls in the page. */
export interface Elsewhere {
  api: typeof api;
  /** Sends all later calls to this server, with the token if one is given. */
  use(baseUrl: string, token?: string): void;
  /** Follows a room and collects its messages in `heard`. */
  follow(room: string): Promise<void>;
  heard: string[];
  /** The errors of the stream. The client reconnects by itself after each. */
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
