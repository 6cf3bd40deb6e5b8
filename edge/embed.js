// The button of a sale on its organizer's own site: a link to the waiting room, with the
// organizer's colors and what there is to know. Without this script it is a plain link.
(() => {
  const home = new URL(document.currentScript.src).origin;
  const words = {
    lobby: (at) => `Opens ${at}`,
    drawing: (at) => `Opens ${at}`,
    open: () => "Open now",
    ended: () => "The sale has ended",
  };
  const when = (at) => new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

  async function show(link) {
    const room = new URL(link.href);
    const sale = /^\/sales\/([a-z0-9-]+)$/.exec(room.pathname)?.[1];
    if (room.origin !== home || !sale || link.dataset.ropeline === "shown") return;
    link.dataset.ropeline = "shown";
    const answer = await fetch(`${home}/api/v1/sales/${sale}/button`, { credentials: "omit" });
    if (!answer.ok) return;
    const { phase, opens_at, light, dark } = await answer.json();
    const { background, text } = matchMedia("(prefers-color-scheme: dark)").matches ? dark : light;
    // By properties, which a site's own policy for inline styles does not forbid.
    Object.assign(link.style, {
      display: "inline-block", padding: "0.7em 1.4em", borderRadius: "0.5em", textDecoration: "none", textAlign: "center",
      fontWeight: "700", background, color: text,
    });
    const note = document.createElement("small");
    Object.assign(note.style, { display: "block", fontWeight: "400" });
    note.textContent = words[phase]?.(when(opens_at)) ?? "";
    link.append(note);
  }

  const all = () => {
    for (const link of document.querySelectorAll("a[data-ropeline]")) show(link).catch(() => {}); // it is a link still
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", all);
  else all();
})();
