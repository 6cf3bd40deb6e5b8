import { Disconnected, Refusal } from "./http";

/** A file that a link alone would not get, since it does not say for whom. */
export async function download(path: string, headers: Record<string, string>): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(path, { headers, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(60_000) });
    if (response.ok) return await response.blob();
  } catch (cause) {
    throw new Disconnected("no answer", { cause });
  }
  const { type = "", detail = "" } = (await response.json().catch(() => ({}))) as { type?: string; detail?: string };
  throw new Refusal(response.status, type.replace("urn:ropeline:problem:", ""), detail, undefined);
}
