// Works beside the page, which stays usable meanwhile.

import { type Challenge, solve } from "./solve";

addEventListener("message", (event: MessageEvent<Challenge>) => {
  solve(event.data).then(
    (solution) => postMessage(solution),
    () => postMessage(undefined),
  );
});
