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
  /** Absent: do not come back. */
  retry_seconds?: number;
}

/** The object in a frame's data; null for what is not one, which a reader skips. */
export function parseFrame<T extends Opening | Bye | LogEvent>(text: string): T | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'type' in value ? (value as T) : null;
  } catch {
    return null;
  }
}
