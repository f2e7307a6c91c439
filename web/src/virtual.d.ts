// Owns the types of the modules that plugins make at build time.
declare module 'virtual:emoji-*' {
  const lines: string;
  export default lines;
}
