import type { Plugin } from "vite";

/**
 * Fills {{section.key}} in the HTML files from the message catalogue, so that
 * titles and the words for browsers without JavaScript have no second home.
 */
export function words(catalogue: Record<string, Record<string, unknown>>): Plugin {
  return {
    name: "words",
    transformIndexHtml(html) {
      return html.replace(/\{\{(\w+)\.(\w+)\}\}/g, (_all, section: string, key: string) => {
        const text = catalogue[section]?.[key];
        if (typeof text !== "string") throw new Error(`no plain message ${section}.${key} in the catalogue`);
        return text;
      });
    },
  };
}
