// A worker that only keeps time. Browsers slow the timers of a hidden tab down
// to one a minute, which is a token's whole life; a worker's run on, so a fan
// who looks for the bank's code in another tab stays admitted.

const every = 5_000;

setInterval(() => postMessage(null), every);
