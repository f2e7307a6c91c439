// Owns which day and which time zone it is for the reader now, so that what is on the screen follows midnight and
// travels. Must not know how moments are written.

/** How often (ms) the day and the zone are looked at. Browsers have no event for either. */
const every = 30_000;

/** Zones are told apart by their offsets in winter, in summer and now, because asking Intl for the name is slow. */
function zoneNow(now: Date): string {
  const year = now.getFullYear();
  const at = [new Date(year, 0, 1), new Date(year, 6, 1), now];
  return at.map((moment) => moment.getTimezoneOffset()).join();
}

class Zone {
  /** The reader's midnight before now (ms). */
  today = $state(0);
  /** Changes when the time zone does. */
  name = $state('');

  constructor() {
    this.look();
  }

  /** Looks at the clock and the zone. Call it when the page becomes visible: timers do not run during sleep. */
  look(): void {
    const now = new Date();
    this.today = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
    this.name = zoneNow(now);
  }

  /** Looks again and again, as long as the page is there. */
  follow(): void {
    setInterval(() => this.look(), every);
  }
}

export const zone = new Zone();
