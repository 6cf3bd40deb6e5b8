import { useState } from "preact/hooks";
import * as api from "../api/venues";
import { venues as words } from "../messages/en";
import type { Venues } from "./model";

/** What people read of a venue. */
export function Details({ venues, venue }: { venues: Venues; venue: api.Venue }) {
  const [picture, setPicture] = useState(venue.picture ?? "");
  const [wrong, setWrong] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const [latitude, longitude, reason] = [text("latitude"), text("longitude"), text("reason")];
    const fault = (latitude === "") !== (longitude === "") ? words.details.half : reason === "" ? words.details.why : "";
    setWrong(fault);
    if (fault !== "") return;
    const details: api.Details = {
      about: text("about"),
      address: text("address"),
      city: text("city"),
      country: text("country").toUpperCase(),
      time_zone: text("time_zone"),
      closed: form.get("closed") !== null,
    };
    if (latitude !== "") details.place = { latitude: Number(latitude), longitude: Number(longitude) };
    if (picture !== "") details.picture = picture;
    const file = form.get("file");
    void venues.save(details, reason, file instanceof File && file.name !== "" ? { blob: file, what: text("what") } : undefined);
  };
  return (
    <section class="card details" aria-labelledby="details">
      <h2 id="details">{words.details.heading}</h2>
      <form onSubmit={submit}>
        <div class="fields">
          <Field name="city" label={words.details.city} value={venue.city} most={100} />
          <Field name="country" label={words.details.country} value={venue.country} most={2} />
          <label>
            {words.details.timeZone}
            <input name="time_zone" list="zones" maxLength={60} autocomplete="off" required defaultValue={venue.time_zone} />
          </label>
          <datalist id="zones">
            {Intl.supportedValuesOf("timeZone").map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
          <label>
            {words.details.latitude}
            <input name="latitude" type="number" step="any" min={-90} max={90} defaultValue={venue.place?.latitude ?? ""} />
          </label>
          <label>
            {words.details.longitude}
            <input name="longitude" type="number" step="any" min={-180} max={180} defaultValue={venue.place?.longitude ?? ""} />
          </label>
        </div>
        <label>
          {words.details.address}
          <textarea name="address" rows={2} maxLength={500} defaultValue={venue.address ?? ""} />
        </label>
        <label>
          {words.details.about}
          <textarea name="about" rows={4} maxLength={10_000} defaultValue={venue.about ?? ""} />
        </label>
        <div class="fields">
          <div class="picture">
            {picture === "" ? <p class="note">{words.details.noPicture}</p> : <img src={api.picture(picture, 320)} alt="" width={160} height={90} />}
            {picture !== "" && (
              <button type="button" onClick={() => setPicture("")}>
                {words.details.removePicture}
              </button>
            )}
          </div>
          <label>
            {words.details.picture}
            <input type="file" name="file" accept="image/jpeg,image/png,image/webp" />
          </label>
          <Field name="what" label={words.details.what} most={300} />
        </div>
        <label class="check">
          <input type="checkbox" name="closed" defaultChecked={venue.closed ?? false} />
          {words.details.closed}
        </label>
        <Field name="reason" label={words.details.reason} most={200} />
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="submit" class="primary" disabled={venues.busy}>
          {words.details.save}
        </button>
      </form>
    </section>
  );
}

function Field(props: { name: string; label: string; value?: string | undefined; most: number }) {
  return (
    <label>
      {props.label}
      <input name={props.name} maxLength={props.most} autocomplete="off" defaultValue={props.value ?? ""} />
    </label>
  );
}
