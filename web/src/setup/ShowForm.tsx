import { useState } from "preact/hooks";
import { setup as words } from "../messages/en";
import { Choice, Form, Labeled, marks, Text } from "./Field";
import type { Setup } from "./model";

export function ShowForm({ setup }: { setup: Setup }) {
  const { show } = setup;
  const of = words.show;
  const categories = setup.categories.map(({ id, name, parent }): [string, string] => [id, parent ? `– ${name}` : name]);
  return (
    <Form setup={setup} heading={of.heading}>
      <Text setup={setup} name="title" label={of.title} value={show.title} maxLength={200} set={(title) => setup.tell({ title })} />
      <Labeled setup={setup} name="about" label={of.about} hint={of.aboutHint}>
        <textarea {...marks(setup, "about", true)} rows={5} maxLength={10_000} value={show.about} onInput={(event) => setup.tell({ about: event.currentTarget.value })} />
      </Labeled>
      <Choice setup={setup} name="category" label={of.category} value={show.category} of={[["", of.choose], ...categories]} set={(category) => setup.tell({ category })} />
      <Performers setup={setup} />
      <Text setup={setup} name="tour" label={of.tour} value={show.tour} maxLength={200} list="tours" hint={of.tourHint} set={(tour) => setup.tell({ tour })} />
      <datalist id="tours">
        {setup.tours.map(({ id, name }) => (
          <option key={id} value={name} />
        ))}
      </datalist>
      <Picture setup={setup} />
    </Form>
  );
}

function Performers({ setup }: { setup: Setup }) {
  const [name, setName] = useState("");
  const of = words.show;
  const { performers } = setup.show;
  const add = () => {
    const typed = name.trim();
    if (typed !== "" && !performers.includes(typed)) setup.tell({ performers: [...performers, typed] });
    setName("");
  };
  return (
    <fieldset>
      <legend>{of.performers}</legend>
      <ul class="chips">
        {performers.map((each) => (
          <li key={each}>
            <span dir="auto">{each}</span>
            <button type="button" class="quiet" aria-label={of.remove(each)} onClick={() => setup.tell({ performers: performers.filter((other) => other !== each) })}>
              ×
            </button>
          </li>
        ))}
      </ul>
      <div class="row">
        <Labeled setup={setup} name="performer" label={of.performer} hint={of.performersHint}>
          <input
            {...marks(setup, "performer", true)}
            type="text"
            list="performers"
            maxLength={200}
            autocomplete="off"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              event.preventDefault(); // it adds, and keeps nothing yet
              add();
            }}
          />
        </Labeled>
        <button type="button" onClick={add}>
          {of.add}
        </button>
      </div>
      <datalist id="performers">
        {setup.performers.map((each) => (
          <option key={each.id} value={each.name} />
        ))}
      </datalist>
    </fieldset>
  );
}

function Picture({ setup }: { setup: Setup }) {
  const [file, setFile] = useState<File>();
  const [what, setWhat] = useState("");
  const of = words.show;
  return (
    <fieldset>
      <legend>{of.picture}</legend>
      {setup.show.picture && <img class="picture" src={`/api/v1/pictures/${setup.show.picture}?width=480`} alt={what} width={240} />}
      <Labeled setup={setup} name="file" label={of.picture} hint={of.pictureHint}>
        <input {...marks(setup, "file", true)} type="file" accept="image/jpeg,image/png,image/webp" onChange={(event) => setFile(event.currentTarget.files?.[0])} />
      </Labeled>
      {file && (
        <div class="row">
          <Text setup={setup} name="what" label={of.pictureWhat} value={what} maxLength={300} set={setWhat} />
          <button type="button" disabled={setup.busy} onClick={() => void setup.upload(file, what).then(() => setFile(undefined))}>
            {of.upload}
          </button>
        </div>
      )}
      <p class="note" role="status">
        {setup.notice}
      </p>
    </fieldset>
  );
}
