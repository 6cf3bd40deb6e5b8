// The places on returns lists that this browser has, with the keys that open them. Until
// offers go out by e-mail this is the fan's only copy besides the page's address.

export interface Kept {
  id: string;
  key: string;
  sale: string;
  performance: string;
}

const name = "ropeline.returns";

export function keptPlaces(sale?: string): Kept[] {
  try {
    const all = JSON.parse(localStorage.getItem(name) ?? "[]") as Kept[];
    return sale === undefined ? all : all.filter((place) => place.sale === sale);
  } catch {
    return [];
  }
}

export function keepPlace(place: Kept): void {
  try {
    localStorage.setItem(name, JSON.stringify([place, ...keptPlaces().filter((other) => other.id !== place.id)].slice(0, 50)));
  } catch {
    // Storage is switched off: the address of the page is all there is.
  }
}

/** Of a place that is over. */
export function dropPlace(id: string): void {
  try {
    localStorage.setItem(name, JSON.stringify(keptPlaces().filter((other) => other.id !== id)));
  } catch {
    // Nothing was kept either.
  }
}

export const placeAddress = (place: { id: string; key: string }) => `/returns/${encodeURIComponent(place.id)}#${place.key}`;
