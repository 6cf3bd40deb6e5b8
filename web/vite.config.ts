import { defineConfig } from "vite";
import { budget } from "./build/budget.ts";
import { head } from "./build/head.ts";
import { lazy } from "./build/lazy.ts";
import { routes } from "./build/routes.ts";
import { words } from "./build/words.ts";
import * as catalogue from "./src/messages/en.ts";

// npm run dev proxies the API to a running stack: `make dev` prints its address.
const stack = process.env.ROPELINE_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  appType: "mpa",
  plugins: [lazy(), head(), words(catalogue), routes(), budget("waiting.html", 15_000)],
  server: { proxy: { "/api": { target: stack, ws: true } }, fs: { allow: [".."] } }, // ..: the golden files of edge/wire
  build: {
    target: "es2022",
    // Beside a shop of somebody else's on one host, "assets" would be theirs.
    assetsDir: "ropeline",
    // The edge forbids inline scripts and data: styles, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      // gallery.html, a page of every state for those who draw them, is left out.
      input: ["index.html", "waiting.html", "draw.html", "ledger.html", "shop.html", "order.html", "returns.html", "coupons.html", "ops.html", "counter.html", "sales.html"],
    },
  },
});
