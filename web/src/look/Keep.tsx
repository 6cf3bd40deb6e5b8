import { useState } from "preact/hooks";

/** Below what is shown once: copies it, and goes on when it is kept. */
export function Keep({ value, text, kept }: { value: string; text: { copy: string; copied: string; kept: string }; kept: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard.writeText(value).then(() => setCopied(true), () => {}); // refused: it is on the page
  return (
    <>
      <div class="acts">
        {/* Missing on plain http other than localhost. */}
        {navigator.clipboard && (
          <button type="button" onClick={() => void copy()}>
            {text.copy}
          </button>
        )}
        <button type="button" class="primary" onClick={kept}>
          {text.kept}
        </button>
      </div>
      <p class="note" role="status">
        {copied ? text.copied : ""}
      </p>
    </>
  );
}
