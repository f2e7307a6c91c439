// Owns the named frames of the event stream and how text becomes a frame. Must not know who reads them.
import type { LogEvent } from '../api/types';

export interface Opening {
  type: string;
  cursor: string;
  heartbeat_seconds?: number;
}

export interface Bye {
  type: string;
  reason: string;
  /** When absent, do not reconnect. */
  retry_seconds?: number;
}

/** The object in a frame's data, or null when the data is no object; readers skip such a frame. */
export function parseFrame<T extends Opening | Bye | LogEvent>(text: string): T | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'type' in value ? (value as T) : null;
  } catch {
    return null;
  }
}
