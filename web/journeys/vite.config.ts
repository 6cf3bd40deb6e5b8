import { defineConfig } from "vite";

// The journeys are TypeScript like the pages, because they look for the words
// of the message catalogue; node runs what this makes of them.
export default defineConfig({
  publicDir: false,
  build: {
    ssr: "journeys/run.ts",
    outDir: "node_modules/.journeys",
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: { output: { entryFileNames: "run.js" } },
  },
});
