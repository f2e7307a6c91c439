// Owns which page the address names, and moving between pages. Must not know what pages show.

export type Page =
  | { name: 'home' }
  | { name: 'directory' }
  | { name: 'settings' }
  | { name: 'room'; room: string; message?: string }
  | { name: 'nowhere' };

/** The part of the browser's history that is used. */
export interface Places {
  path(): string;
  push(path: string): void;
  replace(path: string): void;
}

export function parsePath(path: string): Page {
  if (path === '/') return { name: 'home' };
  if (path === '/rooms') return { name: 'directory' };
  if (path === '/settings') return { name: 'settings' };
  const id = '([A-Za-z0-9-]{1,64})';
  const [, room, message] = new RegExp(`^/room/${id}(?:/message/${id})?/?$`).exec(path) ?? [];
  if (!room) return { name: 'nowhere' };
  return message ? { name: 'room', room, message } : { name: 'room', room };
}

export const roomPath = (id: string): string => `/room/${id}`;

/** The address of one message, which leads to it for everybody who may read the room. */
export const messagePath = (room: string, id: string): string => `${roomPath(room)}/message/${id}`;

export class Route {
  #places: Places;
  /** How often the client has changed the page since it was loaded. */
  moves = 0;
  page: Page = $state.raw({ name: 'home' });

  constructor(places: Places) {
    this.#places = places;
    this.read();
  }

  /** The address changed (Back, Forward). */
  read(): void {
    this.page = parsePath(this.#places.path());
  }

  go(path: string): void {
    this.moves++;
    if (path !== this.#places.path()) this.#places.push(path);
    this.read();
  }

  replace(path: string): void {
    this.#places.replace(path);
    this.read();
  }
}
