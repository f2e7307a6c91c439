// Owns the compiler's settings: runes everywhere, so that state is visible in the code.
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default { preprocess: vitePreprocess(), compilerOptions: { runes: true } };
