import { defineConfig } from "vite";
import { budget } from "./build/budget.ts";
import { head } from "./build/head.ts";
import { lazy } from "./build/lazy.ts";
import { routes } from "./build/routes.ts";
import { words } from "./build/words.ts";
import * as catalogue from "./src/messages/en.ts";

// npm run dev proxies the API to a running stack: `make dev` prints its address.
const stack = process.env.ROPELINE_URL ?? "http://127.0.0.1:8080";

// The preview is built by itself: beside it the waiting room, whose code it shows, would be split in two for everybody.
const preview = "preview";

export default defineConfig(({ mode }) => ({
  appType: "mpa",
  // 15,000 with a look, which the edge writes into it: 780 at most (edge/look_test.go).
  plugins: [lazy(), head(), words(catalogue), routes(), ...(mode === preview ? [] : [budget("waiting.html", 14_220)])],
  server: { proxy: { "/api": { target: stack, ws: true } }, fs: { allow: [".."] } }, // ..: the golden files of edge/wire
  build: {
    target: "es2022",
    // Beside a shop of somebody else's on one host, "assets" would be theirs.
    assetsDir: "ropeline",
    // The edge forbids inline scripts and data: styles, so nothing is inlined.
    assetsInlineLimit: 0,
    // What is loaded later fetches nothing at once with it (build/lazy.ts), so no list of that is needed.
    modulePreload: { polyfill: false, resolveDependencies: (_file, needs, { hostType }) => (hostType === "html" ? needs : []) },
    reportCompressedSize: false,
    emptyOutDir: mode === preview, // it comes first
    rolldownOptions: {
      // The few lines that all pages share are one file: nine were 300 bytes more, and nine requests.
      output: { codeSplitting: { groups: [{ name: "shared", test: /src\/(waiting\/dom|messages\/(format|en\/common)|api\/(documents|line|http)|line\/clock|look\/mark)|preload-helper/ }] } },
      // gallery.html, a page of every state for those who draw them, is left out.
      input: mode === preview ? ["preview.html"] : ["index.html", "waiting.html", "draw.html", "ledger.html", "receipt.html", "shop.html", "order.html", "ticket.html", "returns.html", "coupons.html", "account.html", "ops.html", "counter.html", "door.html", "sales.html", "money.html", "offers.html", "desk.html", "venues.html", "setup.html", "team.html", "letters.html"],
    },
  },
}));
