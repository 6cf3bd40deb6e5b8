import assert from "node:assert/strict";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import type { Status } from "../src/api/documents";
import type { Fan } from "./fan";

/** A service that knows nothing of us but the address of our keys checks an admission token, with a library of somebody else's. */
export async function foreign(fan: Fan): Promise<void> {
  const { url, sale } = fan.stack;
  const place = `${url}/api/v1/sales/${sale}/place`;
  const ask = async <T>(method: string, path: string, ticket = ""): Promise<T> => {
    const headers: Record<string, string> = { "Ropeline-App": "1", "Content-Type": "application/json" };
    if (ticket !== "") headers["Authorization"] = `Bearer ${ticket}`;
    const response = await fetch(path, { method, headers, ...(method === "POST" ? { body: "{}" } : {}) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return (response.status === 204 ? undefined : await response.json()) as T;
  };
  let status = await ask<Status & { ticket: string }>("POST", place);
  const { ticket } = status;
  for (const until = Date.now() + 60_000; status.state !== "offered"; ) {
    assert.ok(Date.now() < until, `the turn does not come: ${status.state}`);
    await new Promise((passed) => setTimeout(passed, 1_000 * (status.next_contact ?? 1)));
    status = await ask("GET", place, ticket);
  }
  const { token, session } = await ask<{ token: string; session: { id: string } }>("POST", `${place}/claim`, ticket);

  const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
  const rules = { issuer: "ropeline", audience: sale, algorithms: ["EdDSA"], clockTolerance: 1 };
  const { payload } = await jwtVerify(token, keys, rules);
  assert.equal(payload["sid"], session.id);
  assert.ok(payload.sub && payload.exp && payload.exp > Date.now() / 1000);

  const [head, body, signature] = token.split(".") as [string, string, string];
  const forged = Buffer.from(JSON.stringify({ ...payload, exp: payload.exp + 3600 })).toString("base64url");
  await assert.rejects(jwtVerify(`${head}.${forged}.${signature}`, keys, rules), errors.JWSSignatureVerificationFailed);
  const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
  await assert.rejects(jwtVerify(`${none}.${body}.`, keys, rules), errors.JOSEError);
  await assert.rejects(jwtVerify(token, keys, { ...rules, audience: "another-sale" }), errors.JWTClaimValidationFailed);
  await assert.rejects(jwtVerify(token, keys, { ...rules, currentDate: new Date(1000 * (payload.exp + 2)) }), errors.JWTExpired);
  await ask("DELETE", `${url}/api/v1/sales/${sale}/session`, ticket);
}
