// Owns how the client is made from the document.
import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: '../../openapi.json',
  output: { path: 'generated', importFileExtension: '.js' },
  plugins: [
    '@hey-api/client-fetch',
    '@hey-api/typescript',
    // Times as Date; numbers stay numbers, for none is ever above 2^53.
    { name: '@hey-api/transformers', bigInt: false },
    { name: '@hey-api/sdk', transformer: true },
  ],
});
