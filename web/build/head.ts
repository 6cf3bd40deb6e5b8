import type { Plugin } from "vite";

/**
 * What every page has at the top of its head. It is put in before Vite looks
 * for what the page loads, so addresses are those of the sources.
 */
const shared = `
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
    <meta name="color-scheme" content="light dark" />
    <meta name="robots" content="noindex" />
    <meta name="referrer" content="same-origin" />
    <link rel="icon" href="/src/look/mark.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/src/look/base.css" />`;

export function head(): Plugin {
  return {
    name: "head",
    transformIndexHtml: {
      order: "pre",
      handler(html, { path }) {
        const [before, after, ...more] = html.split("<head>");
        if (after === undefined || more.length > 0) throw new Error(`${path} must have <head> once`);
        return `${before}<head>${shared}${after}`;
      },
    },
  };
}
