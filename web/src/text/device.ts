// Owns a short, common name for the program behind a User-Agent header. Must not be used to decide
// anything, because clients may send any header.

const programs: [RegExp, string][] = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/Chrome\//, 'Chrome'],
  [/Safari\//, 'Safari'],
  [/curl\//, 'curl'],
];
const systems: [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux/, 'Linux'],
];

export function deviceName(userAgent: string | undefined, unknown: string): string {
  if (!userAgent) return unknown;
  const name = (list: [RegExp, string][]) => list.find(([sign]) => sign.test(userAgent))?.[1];
  const program = name(programs) ?? userAgent.split(/[\s/]/)[0]!.slice(0, 32);
  const system = name(systems);
  return system ? `${program}, ${system}` : program;
}
