// Where somebody is, if they say so.

/** How far "near" is, in km. */
export const radius = 100;

/** About a kilometer: no address is told, and neighbours ask for the same. */
const digits = 2;

/** latitude,longitude; undefined: the browser does not say. */
export function whereabouts(): Promise<string | undefined> {
  return new Promise((done) => {
    if (!navigator.geolocation) return done(undefined);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => done(`${coords.latitude.toFixed(digits)},${coords.longitude.toFixed(digits)}`),
      () => done(undefined),
      { maximumAge: 600_000, timeout: 10_000 },
    );
  });
}
