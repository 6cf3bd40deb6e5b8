import { desk as words } from "../messages/en";
import type { Desk, Draft } from "./model";

export function LookForm({ desk }: { desk: Desk }) {
  const { draft, kept } = desk;
  const submit = (event: Event) => {
    event.preventDefault();
    void desk.save();
  };
  const text = (label: string, name: "title" | "message" | "helpText" | "helpUrl", most: number) => (
    <label>
      {label}
      <input type="text" name={name} maxLength={most} value={draft[name]} onInput={(event) => desk.type({ [name]: event.currentTarget.value })} />
    </label>
  );
  return (
    <form class="card part" onSubmit={submit} aria-labelledby="look">
      <h2 id="look">{words.look}</h2>
      {text(words.name, "title", 80)}
      {text(words.message, "message", 160)}
      {text(words.helpText, "helpText", 60)}
      {text(words.helpAddress, "helpUrl", 300)}
      <p class="note">{words.colorHint}</p>
      <Colors desk={desk} scheme="light" name={words.light} />
      <Colors desk={desk} scheme="dark" name={words.dark} />
      <label>
        {words.domains}
        <textarea name="domains" rows={2} spellcheck={false} value={draft.domains} onInput={(event) => desk.type({ domains: event.currentTarget.value })} />
      </label>
      <p class="note">{words.domainsHint}</p>
      <label>
        {words.logo}
        <input
          type="file"
          name="logo"
          accept="image/jpeg,image/png,image/webp"
          disabled={desk.busy}
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file) void desk.putLogo(file);
          }}
        />
      </label>
      <p class="note">{kept.logo ? words.logoShown(kept.logo.width, kept.logo.height) : words.logoHint}</p>
      {kept.logo && (
        <button type="button" disabled={desk.busy} onClick={() => void desk.removeLogo()}>
          {words.removeLogo}
        </button>
      )}
      {kept.version > 0 && (
        <label>
          {words.reason}
          <input type="text" name="reason" maxLength={200} required value={desk.reason} onInput={(event) => desk.because(event.currentTarget.value)} />
        </label>
      )}
      <p class="wrong said" role="alert">
        {desk.wrong || desk.problem}
      </p>
      <p class="said" role="status">
        {desk.notice}
      </p>
      <button type="submit" class="primary" disabled={desk.busy}>
        {words.save}
      </button>
    </form>
  );
}

function Colors({ desk, scheme, name }: { desk: Desk; scheme: "light" | "dark"; name: string }) {
  const palette = desk.draft[scheme];
  const type = (change: Partial<Draft["light"]>) => desk.type({ [scheme]: { ...palette, ...change } });
  return (
    <div class="colors">
      <label>
        {words.accentIn(name)}
        <input type="text" name={`${scheme}-accent`} placeholder="#005f73" spellcheck={false} maxLength={7} value={palette.accent} onInput={(event) => type({ accent: event.currentTarget.value })} />
      </label>
      <label>
        {words.groundIn(name)}
        <input type="text" name={`${scheme}-ground`} placeholder="#ffffff" spellcheck={false} maxLength={7} value={palette.ground} onInput={(event) => type({ ground: event.currentTarget.value })} />
      </label>
    </div>
  );
}
