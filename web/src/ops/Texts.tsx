import { ops as words } from "../messages/en";

/** What is said in one language; the tag is BCP 47. */
export interface Text {
  lang: string;
  text: string;
}

export const blank: Text[] = [{ lang: "en", text: "" }];

/** What was typed, as the API wants it; undefined if nothing was. */
export function filled(texts: Text[]): Record<string, string> | undefined {
  const said = texts.filter((each) => each.text.trim() !== "");
  return said.length > 0 ? Object.fromEntries(said.map((each) => [each.lang.trim(), each.text.trim()])) : undefined;
}

interface Props {
  name: string;
  texts: Text[];
  onTexts: (texts: Text[]) => void;
}

/** The same in several languages, a row each. */
export function Texts({ name, texts, onTexts }: Props) {
  const w = words.texts;
  const edit = (at: number, change: Partial<Text>) => onTexts(texts.map((each, i) => (i === at ? { ...each, ...change } : each)));
  return (
    <div class="texts">
      {texts.map((each, i) => (
        <div class="text" key={i}>
          <label>
            {w.lang}
            <input name={`${name}-lang-${i}`} maxLength={35} size={4} value={each.lang} onInput={(event) => edit(i, { lang: event.currentTarget.value })} />
          </label>
          <label>
            {w.text(each.lang)}
            <input name={`${name}-text-${i}`} maxLength={500} dir="auto" lang={each.lang} value={each.text} onInput={(event) => edit(i, { text: event.currentTarget.value })} />
          </label>
        </div>
      ))}
      <button type="button" class="quiet" onClick={() => onTexts([...texts, { lang: "", text: "" }])}>
        {w.more}
      </button>
    </div>
  );
}
