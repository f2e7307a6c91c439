// Owns leaving out of the build what the generated client brings for reading event streams: the page reads them with
// EventSource (see src/stream).
import type { Plugin } from 'vite';

export function withoutStreams(): Plugin {
  return {
    name: 'parlor-without-streams',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      if (!id.endsWith('/core/serverSentEvents.gen.ts')) return null;
      return "export const createSseClient = () => { throw new Error('streams are read by EventSource'); };";
    },
  };
}
