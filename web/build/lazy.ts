import type { Plugin } from "vite";

/**
 * Replaces Vite's helper for chunks that are loaded later. It fetches styles and
 * the imports of the chunk at once with it, which ours do not have, and is a
 * twentieth of the waiting page.
 */
export function lazy(): Plugin {
  return {
    name: "lazy",
    enforce: "pre",
    load: (id) => (id === "\0vite/preload-helper.js" ? "export const __vitePreload = (load) => load();" : undefined),
  };
}
