import type { Plugin } from "vite";

/** The addresses that the edge answers with a page, for Vite's own dev server. */
const pages: [RegExp, string][] = [
  [/^\/(search|(events|performers|venues|tours)\/[^/]+)\/?$/, "/index.html"],
  [/^\/sales\/[^/]+\/?$/, "/waiting.html"],
  [/^\/sales\/[^/]+\/draw\/?$/, "/draw.html"],
  [/^\/sales\/[^/]+\/ledger\/?$/, "/ledger.html"],
  [/^\/sales\/[^/]+\/shop\/?$/, "/shop.html"],
  [/^\/sales\/[^/]+\/returns\/?$/, "/returns.html"],
  [/^\/returns\/[^/]+\/?$/, "/returns.html"],
  [/^\/orders\/[^/]+\/?$/, "/order.html"],
  [/^\/tickets\/[^/.]+\/?$/, "/ticket.html"],
  [/^\/coupons(\/[^/]+)?\/?$/, "/coupons.html"],
  [/^\/account(\/[^/]+)?\/?$/, "/account.html"],
  [/^\/ops\/?$/, "/ops.html"],
  [/^\/counter\/?$/, "/counter.html"],
  [/^\/desk\/sales\/?$/, "/sales.html"],
  [/^\/desk\/money\/?$/, "/money.html"],
  [/^\/desk\/coupons\/?$/, "/offers.html"],
  [/^\/desk\/?$/, "/desk.html"],
  [/^\/desk\/setup\/?$/, "/setup.html"],
  [/^\/desk\/preview\/?$/, "/preview.html"],
  [/^\/desk\/venues\/?$/, "/venues.html"],
  [/^\/desk\/team\/?$/, "/team.html"],
  [/^\/desk\/letters\/?$/, "/letters.html"],
];

export function routes(): Plugin {
  return {
    name: "routes",
    configureServer(server) {
      server.middlewares.use((request, _response, next) => {
        const path = new URL(request.url ?? "/", "http://dev").pathname;
        const page = pages.find(([address]) => address.test(path));
        if (page) request.url = page[1];
        next();
      });
    },
  };
}
