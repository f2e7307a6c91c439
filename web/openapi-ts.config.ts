// Owns how the typed API client is made from the published document. Its output is never edited.
import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: process.env.PARLOR_OPENAPI ?? '../openapi/openapi.json',
  output: 'src/api/generated',
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
});
