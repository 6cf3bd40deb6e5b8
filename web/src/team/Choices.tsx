/** Some of several things, each with a word of what it is. */
export function Choices(props: { legend: string; all: readonly string[]; words: Record<string, string>; has: string[]; set: (has: string[]) => void }) {
  return (
    <fieldset>
      <legend>{props.legend}</legend>
      {props.all.map((each) => (
        <label key={each} class="check">
          <input type="checkbox" checked={props.has.includes(each)} onChange={(event) => props.set(event.currentTarget.checked ? [...props.has, each] : props.has.filter((had) => had !== each))} />
          {props.words[each] ?? each}
        </label>
      ))}
    </fieldset>
  );
}
