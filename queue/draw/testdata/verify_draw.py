#!/usr/bin/env python3
"""Checks a published draw without any of our code: verify_draw.py FILE"""
import hashlib, hmac, sys

def sha(b): return hashlib.sha256(b).digest()

def head(ids):
    if not ids: return sha(b"")
    if len(ids) == 1: return sha(b"\0" + ids[0])
    k = 1
    while k * 2 < len(ids): k *= 2
    return sha(b"\1" + head(ids[:k]) + head(ids[k:]))

def main(path):
    data = open(path, "rb").read()
    top, body = data.split(b"\n\n", 1)
    top = top.split(b"\n")
    if top[0] not in (b"ropeline-draw 1", b"ropeline-draw 2"): return "not a draw of version 1 or 2"
    with_beacon = top[0].endswith(b"2")
    names = [b"sale", b"close", b"beacon-rule", b"commitment", b"root", b"root-at", b"seed", b"beacon", b"count"]
    if not with_beacon: names.remove(b"root-at")
    if [l.split(b": ", 1)[0] for l in top[1:]] != names: return "fields are missing"
    f = {n: l.split(b": ", 1)[1] for n, l in zip(names, top[1:])}
    if body and not body.endswith(b"\n"): return "the file is cut"
    ids = body.split(b"\n")[:-1]
    seed, root, beacon = (bytes.fromhex(f[n].decode()) for n in (b"seed", b"root", b"beacon"))
    if len(ids) != int(f[b"count"]): return "the count is wrong"
    terms = b"\n".join([b"ropeline draw 1", f[b"sale"], f[b"close"], f[b"beacon-rule"], seed])
    if sha(terms).hex().encode() != f[b"commitment"]: return "the seed is not the one committed to"
    if (f[b"beacon-rule"] == b"none") == with_beacon: return "the beacon rule is of another version"
    if not with_beacon and any(beacon): return "a beacon without a rule"
    if with_beacon and int(f[b"root-at"]) < int(f[b"close"]): return "the root came before the close"
    if len(set(ids)) != len(ids): return "a place is there twice"
    if sha(len(ids).to_bytes(8, "big") + head(sorted(ids))) != root: return "the places are not those of the root"
    key = sha(seed + root + beacon)
    def score(i): return int.from_bytes(hmac.digest(key, i, "sha256")[:8], "big") >> 12
    if sorted(ids, key=lambda i: (score(i), i)) != ids: return "the order is not the one drawn"

wrong = main(sys.argv[1])
print(wrong or "the draw holds")
sys.exit(1 if wrong else 0)
