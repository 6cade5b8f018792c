#!/usr/bin/env python3
"""Writes vectors/naming.json: known vectors from RFCs, and our own computed by an implementation written from
docs/naming.md with nothing but Python's standard library. It shares no code with src/naming, which is the point."""
import base64
import hashlib
import hmac
import json
import pathlib
import re
from fractions import Fraction
from math import floor

SPKI = (
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100a25f83da9bd9f17a3a3667bafd5a940ecf16d55a553a5ed403b1658e6dcfa3b7"
    "dba4e7cc0f52c67d351dc468c2bd7b9ddbe40ad710cdf95320ee0dd7566e5b7aae2c5f830a193c725896d686e80ee694eb5cf2903ef3a88a8856b6cd36387622"
    "97b16b3c9c07f34f9708a1bc29389b81062b7460387a932f39be1234096e0b5710b7a37bf2c6eed6c1e5ecaec59c8314f46b58e2def2ffc97707e3f34c97cf1a"
    "289e38a1b3934175a1a4763f4d78d744d61ae3cee25dc5784cb531222ec74b8c6f56785ca1c4c01dcae5b944d7e9909cbceeb0a2b1dcda6da00ff6ad1e2c12a2"
    "a766603e36d49141c2f2e769392c9dd2dfb5a34495487c876489ddbf0501eedd0203010001"
)


def sha256(data):
    return hashlib.sha256(data).digest()


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(ikm, salt, info, length):
    prk = hmac_sha256(salt or bytes(32), ikm)
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = hmac_sha256(prk, block + info + bytes([number]))
        out, number = out + block, number + 1
    return out[:length]


def compute(name, options, key, message):
    """A keyed function of key and message; for a hash, of `message` alone."""
    if name == "hmac-sha-256":
        return hmac_sha256(key, message)
    if name == "hkdf-sha-256":
        return hkdf(key, bytes.fromhex(options.get("salt", "")), message, options.get("length", 32))
    bits = {"sha-256": 256}.get(name) or int(name.removeprefix("sha-256-"))
    return sha256(message)[: bits // 8]


def is_hash(name):
    return name.startswith("sha-256")


def encode(encoding, data):
    if encoding == "hex":
        return data.hex()
    if encoding == "base32":
        return base64.b32encode(data).decode().lower().rstrip("=")
    if encoding == "base64url":
        return base64.urlsafe_b64encode(data).decode().rstrip("=")
    return str(int.from_bytes(data, "big")).zfill(len(str(256 ** len(data) - 1)))


def take(token, data):
    text = encode(token["encoding"], data)
    if "first" in token:
        return text[: token["first"]]
    if "last" in token:
        return text[len(text) - token["last"] :]
    if "positions" in token:
        return "".join(text[at] for at in token["positions"])
    return text


def epoch(unit, mode, instant):
    early = Fraction(unit, 2) if mode == "nearest" else 0
    rounded = floor((Fraction(instant, 1000) + early) / unit) * unit
    start = (rounded - early) * 1000
    return {"rounded": rounded, "start": int(start), "end": int(start) + unit * 1000}


def live(unit, mode, instant, lead, grace):
    own = epoch(unit, mode, instant)["rounded"]
    reach = (lead + grace) // (unit * 1000) + 2
    found = []
    for k in range(-reach, reach + 1):
        e = epoch(unit, mode, (own + k * unit) * 1000)
        if e["start"] - lead <= instant < e["end"] + grace:
            found.append(e["rounded"])
    return found


def parameter_text(p, row, key):
    if p["kind"] == "endpoint":
        return row["endpoint"]
    if p["kind"] == "time":
        return str(epoch(p["unit"], p.get("round", "nearest"), row["instant"])["rounded"])
    if p["kind"] == "counter":
        return str(row["counter"])
    return hmac_sha256(key, b"berth/random/v1|" + str(row["counter"]).encode())[: p.get("length", 16)].hex()


def put(uri, place, text):
    scheme, host, port, path, query = uri
    if place["in"] == "path":
        return scheme, host, port, path.removesuffix("/") + "/" + text, query
    if place["in"] == "query":
        return scheme, host, port, path, (query + "&" if query else "") + place["key"] + "=" + text
    labels = host.split(".")
    if place["in"] == "own-label":
        labels.insert(place.get("before", 0), text)
    else:
        i, at = place.get("label", 0), place.get("at", "end")
        n = {"start": 0, "end": len(labels[i])}.get(at, at)
        labels[i] = labels[i][:n] + text + labels[i][n:]
    return scheme, ".".join(labels), port, path, query


def percent(text):
    keep = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    return "".join(chr(b) if b in keep else "%%%02X" % b for b in text.encode())


def name(row):
    recipe, secret = row["recipe"], bytes.fromhex(row["secret"])
    key = secret
    if "nameKey" in recipe:
        nk = recipe["nameKey"]
        key = hkdf(secret, bytes.fromhex(nk.get("salt", "")), nk["info"].encode(), nk.get("length", 32))
    hashed = [p for p in recipe["parameters"] if p.get("hashed", True)]
    message = recipe.get("separator", "|").join(parameter_text(p, row, key) for p in hashed).encode()
    steps = {"nameKey": key.hex(), "message": message.hex()}
    data = message
    if is_hash(recipe["function"]):
        how = recipe.get("combine", {"order": "secret-first"})
        n = how.get("offset")
        data = {
            "secret-first": lambda: key + message,
            "parameters-first": lambda: message + key,
            "parameters-in-secret": lambda: key[:n] + message + key[n:],
            "secret-in-parameters": lambda: message[:n] + key + message[n:],
        }[how["order"]]()
        steps["input"] = data.hex()
    derivative = compute(recipe["function"], recipe.get("options", {}), key, data)
    token = take(recipe["token"], derivative)
    scheme, authority, path, query = re.fullmatch(r"([^:]+)://([^/?]*)([^?]*)(?:\?(.*))?", row["staticUri"]).groups()
    host, port = re.fullmatch(r"(.*?)(:\d+)?", authority).groups()
    host = "".join(part if part.startswith("{") else part.lower() for part in re.split(r"(\{\w+\})", host))
    uri = (scheme.lower(), host, port or "", path, query)
    if "{token}" not in row["staticUri"]:
        uri = put(uri, recipe.get("place", {"in": "label"}), "{token}")
    for p in recipe["parameters"]:
        if "inUri" in p and "{%s}" % p["kind"] not in row["staticUri"]:
            uri = put(uri, p["inUri"]["place"], "{%s}" % p["kind"])

    def fill(text, in_host):
        for p in recipe["parameters"]:
            value = parameter_text(p, row, key) if "{%s}" % p["kind"] in text else ""
            how = p.get("inUri", {}).get("encoding", "plain")
            if how != "plain":
                value = encode(how, value.encode())
            else:
                value = value.lower() if in_host else percent(value)
            text = text.replace("{%s}" % p["kind"], value)
        return text.replace("{token}", token)

    scheme, host, port, path, query = uri
    host = fill(host, True)
    full = f"{scheme}://{host}{port}{fill(path, False)}" + ("" if query is None else "?" + fill(query, False))
    assert len(full) <= 255 and all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) or "[" in host or host.count(".") == 3 for label in host.split(".")), full
    return {**steps, "derivative": derivative.hex(), "token": token, "host": host, "uri": full}


def rfc_functions():
    rows = []

    def add(source, function, output, options=None, **data):
        row = {"source": source, "function": function, **({"options": options} if options else {}), **data, "output": output}
        got = compute(function, options or {}, bytes.fromhex(data.get("key", "")), bytes.fromhex(data.get("input", data.get("message", ""))))
        assert got.hex().startswith(output), source
        rows.append(row)

    hello = b"Hello World!".hex()
    add("RFC 6920 section 8.1", "sha-256", base64.urlsafe_b64decode("f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk=").hex(), input=hello)
    add("RFC 6920 section 8.1, ni:///sha-256-32;f4OxZQ", "sha-256-32", base64.urlsafe_b64decode("f4OxZQ==").hex(), input=hello)
    add("RFC 6920 section 8.2, ni", "sha-256", base64.urlsafe_b64decode("UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q=").hex(), input=SPKI)
    add("RFC 6920 section 8.2, binary name 0353... without its suite byte, and nih:sha-256-120", "sha-256-120", "53269057e12fe2b74ba07c892560a2", input=SPKI)
    add("RFC 6920 section 8.2, nih:sha-256-32", "sha-256-32", "53269057", input=SPKI)
    for bits in (128, 96, 64):
        add("RFC 6920 section 8.2's digest, cut by section 9.4", f"sha-256-{bits}", "53269057e12fe2b74ba07c892560a2d7"[: bits // 4], input=SPKI)

    for number, key, data, output in [
        (1, "0b" * 20, b"Hi There".hex(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (2, b"Jefe".hex(), b"what do ya want for nothing?".hex(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (3, "aa" * 20, "dd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (4, bytes(range(1, 26)).hex(), "cd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (5, "0c" * 20, b"Test With Truncation".hex(), "a3b6167473100ee06e0c796c2955552b"),
        (6, "aa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First".hex(), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        (7, "aa" * 131, b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".hex(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ]:
        add(f"RFC 4231 section 4.{number + 1}", "hmac-sha-256", output, key=key, message=data)

    add("RFC 5869 section A.1", "hkdf-sha-256", "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        {"salt": bytes(range(13)).hex(), "length": 42}, key="0b" * 22, message=bytes(range(0xF0, 0xFA)).hex())
    add("RFC 5869 section A.2", "hkdf-sha-256",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        {"salt": bytes(range(0x60, 0xB0)).hex(), "length": 82}, key=bytes(range(0x50)).hex(), message=bytes(range(0xB0, 0x100)).hex())
    add("RFC 5869 section A.3", "hkdf-sha-256", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        {"length": 42}, key="0b" * 22, message="")
    return rows


def encodings():
    own = "own: python3 base64 and int"
    rows = []
    for text, b32, b64 in [("", "", ""), ("f", "my", "Zg"), ("fo", "mzxq", "Zm8"), ("foo", "mzxw6", "Zm9v"), ("foob", "mzxw6yq", "Zm9vYg"),
                           ("fooba", "mzxw6ytb", "Zm9vYmE"), ("foobar", "mzxw6ytboi", "Zm9vYmFy")]:
        data = text.encode()
        rows.append({"source": "RFC 4648 section 10, lower case, without padding", "encoding": "base32", "bytes": data.hex(), "text": b32})
        rows.append({"source": "RFC 4648 section 10, without padding", "encoding": "base64url", "bytes": data.hex(), "text": b64})
        rows.append({"source": "RFC 4648 section 10, lower case", "encoding": "hex", "bytes": data.hex(), "text": data.hex()})
    for data in ["ff" * 32, "00" * 32, "00" * 31 + "07", "80" + "00" * 31, "ffffffff", "00000000", "0000000f", "fbff", "00" * 15 + "ff", sha256(b"berth").hex()]:
        for encoding in ["decimal", "base32", "base64url"]:
            rows.append({"source": own, "encoding": encoding, "bytes": data, "text": encode(encoding, bytes.fromhex(data))})
    for row in rows:
        assert encode(row["encoding"], bytes.fromhex(row["bytes"])) == row["text"], row
    return rows


def tokens():
    derivative = sha256(b"derivative").hex()
    ways = [{"first": 1}, {"first": 7}, {"last": 1}, {"last": 9}, {"all": True}, {"positions": [0, 2, 4, 8]}, {"positions": [31, 3, 17]}]
    rows = [{"token": {"encoding": e, **way}, "derivative": derivative} for e in ["hex", "base32", "decimal", "base64url"] for way in ways]
    rows += [{"token": {"encoding": "base32", "positions": [51]}, "derivative": derivative},
             {"token": {"encoding": "decimal", "positions": [0, 77]}, "derivative": "ff" * 32},
             {"token": {"encoding": "decimal", "last": 3}, "derivative": "00" * 31 + "07"},
             {"token": {"encoding": "decimal", "first": 3}, "derivative": "0000000f"}]
    return [{"source": "own: python3", **row, "text": take(row["token"], bytes.fromhex(row["derivative"]))} for row in rows]


def epochs():
    rows = []
    for unit, mode, instants in [
        (3600, "nearest", [0, 1799_999, 1800_000, 1767263340_000, 1767263400_000, 1767263399_999, -1, -1800_000, -1800_001, -5400_000, -3600_000]),
        (3600, "down", [0, 3599_999, 3600_000, 1767263340_000, -1, -3600_000, -3600_001]),
        (1800, "nearest", [899_999, 900_000, 1767263340_000]),
        (1, "nearest", [499, 500, 999, -500, -501]),
        (7, "nearest", [3499, 3500, -3500, -3501, 1767263340_123]),
        (86400, "down", [1767263340_000, 253402300799_999]),
        (86400, "nearest", [1767268799_999, 1767225600_000 + 43200_000]),
    ]:
        rows += [{"source": "own: python3 fractions", "unit": unit, "round": mode, "instant": t, **epoch(unit, mode, t)} for t in instants]
    return rows


def live_epochs():
    rows = []
    half = 1767263400_000  # 10:30, a boundary for unit 3600 to nearest
    for t in [half - 300_001, half - 300_000, half - 1, half, half + 299_999, half + 300_000, half + 1800_000]:
        rows.append((3600, "nearest", t, 300_000, 300_000))
    rows += [(3600, "nearest", half, 0, 0), (3600, "nearest", half - 1, 0, 0), (3600, "down", 1767265200_000, 600_000, 0), (3600, "down", 1767265200_000, 0, 1),
             (60, "down", 1767265230_000, 150_000, 150_000), (3600, "nearest", -1800_000, 1, 1)]
    return [{"source": "own: python3", "unit": u, "round": m, "instant": t, "lead": a, "grace": b, "rounded": live(u, m, t, a, b)} for u, m, t, a, b in rows]


SECRET = "00112233445566778899aabbccddeeff"
TIME = {"kind": "time", "unit": 3600, "round": "nearest"}
EP = {"kind": "endpoint"}
BERTH_1 = {"version": 1, "name": "berth-1", "nameKey": {"info": "berth/name/v1"}, "function": "hmac-sha-256", "parameters": [EP, TIME], "token": {"encoding": "base32", "first": 16}}
NI_3 = {"version": 1, "name": "ni-3", "function": "sha-256", "combine": {"order": "secret-first"}, "parameters": [EP, TIME], "token": {"encoding": "decimal", "last": 3}}
AT = 1767263340_000  # 2026-01-01T10:29:00Z
BS = "coaps://bs.myserver.com"


def row(recipe, uri=BS, secret=SECRET, endpoint="urn:dev:1", instant=AT, counter=None):
    return {"recipe": recipe, "staticUri": uri, "secret": secret, "endpoint": endpoint, **({} if instant is None else {"instant": instant}), **({} if counter is None else {"counter": counter})}


def recipe(base=BERTH_1, drop=(), **changes):
    return {**{k: v for k, v in base.items() if k not in ("name", *drop)}, **changes}


def token(encoding, **way):
    return {"encoding": encoding, **way}


def names():
    rows = [row(BERTH_1), row(NI_3)]
    rows += [row(r, instant=t) for r in (BERTH_1, NI_3) for t in (AT - 58 * 60_000, AT + 2 * 60_000, 1767263400_000, 0, -1800_001)]
    rows += [row(BERTH_1, endpoint=e) for e in ("a", "urn:imei:490154203237518", "Gerät-ß-☃-𝔘", "with|separator", "x" * 700, "   ")]
    rows += [row(BERTH_1, secret=s) for s in ("00", "ff" * 32, "ab" * 64, "cd" * 65, SPKI)]
    rows += [row(NI_3, secret=s) for s in ("00" * 16, SPKI)]
    rows += [row(recipe(NI_3, allowWeakSecret=True), secret="0123456789")]
    for function in ("sha-256", "sha-256-128", "sha-256-120", "sha-256-96", "sha-256-64", "sha-256-32"):
        rows.append(row(recipe(NI_3, function=function, token=token("hex", last=6))))
    rows.append(row(recipe(NI_3, nameKey={"info": "other", "length": 48}, function="sha-256-64", token=token("base32", all=True))))
    rows.append(row(recipe(drop=["nameKey"])))
    rows.append(row(recipe(drop=["nameKey"]), secret="cd" * 65))
    rows.append(row(recipe(nameKey={"info": "n", "salt": "0102", "length": 16})))
    rows.append(row(recipe(nameKey={"info": "", "length": 100})))
    rows.append(row(recipe(function="hkdf-sha-256")))
    rows.append(row(recipe(function="hkdf-sha-256", options={"salt": "a0a1a2", "length": 80}, token=token("hex", last=20))))
    for how in ({"order": "parameters-first"}, {"order": "parameters-in-secret", "offset": 0}, {"order": "parameters-in-secret", "offset": 5},
                {"order": "parameters-in-secret", "offset": 16}, {"order": "secret-in-parameters", "offset": 0}, {"order": "secret-in-parameters", "offset": 3},
                {"order": "secret-in-parameters", "offset": 20}):
        rows.append(row(recipe(NI_3, combine=how)))
    rows.append(row(recipe(NI_3, combine={"order": "secret-in-parameters", "offset": 1}), endpoint="ß"))
    rows.append(row(recipe(NI_3, drop=["combine"])))
    for t in (token("hex", first=10), token("hex", last=10), token("hex", positions=[63, 0, 31]), token("base32", last=8), token("base32", all=True),
              token("base32", positions=[51, 1, 2, 3]), token("decimal", first=12), token("decimal", last=14), token("decimal", positions=[10, 20, 30])):
        rows.append(row(recipe(token=t)))
    rows.append(row(recipe(function="sha-256-32", token=token("decimal", all=True), parameters=[EP])))
    for parameters in ([], [EP], [TIME], [TIME, EP], [{"kind": "time", "unit": 1800, "round": "down"}, EP], [EP, {"kind": "time", "unit": 900}]):
        rows.append(row(recipe(parameters=parameters)))
    rows.append(row(recipe(separator="")))
    rows.append(row(recipe(separator="::")))
    counter, random = {"kind": "counter"}, {"kind": "random"}
    for c in (0, 1, 41, 2**53 - 1):
        rows.append(row(recipe(parameters=[EP, counter]), instant=None, counter=c))
        rows.append(row(recipe(parameters=[{"kind": "random", "length": 20}]), instant=None, counter=c))
    rows.append(row(recipe(NI_3, parameters=[random, EP], lookAhead=0), instant=None, counter=7))
    rows.append(row(recipe(parameters=[counter, EP, TIME, random], lookAhead=9), counter=3))
    for uri in ("coaps://bs{token}.myserver.com", "coaps://{token}bs.myserver.com", "coaps://b{token}s.myserver.com", "coaps://{token}.bs.myserver.com", "coaps://bs.{token}.myserver.com",
                "coaps://bs.myserver{token}.com", "coap+tcp://bs.myserver.com:5683", "coaps://bs.myserver.com:5684/", "coaps://bs.myserver.com/a/b?x=1&y=2", "COAPS://BS.MyServer.COM:05684/Path?Q=A",
                "coaps://bs", "coaps://192.0.2.1/{token}", "coaps://[2001:db8::1]:5684/x?t={token}", "coaps://bs{token}.myserver.com/{token}", "https://bs.myserver.com?", "coaps://x.{token}.z"):
        rows.append(row(BERTH_1, uri=uri))
    for place in ({"in": "label", "label": 0, "at": "start"}, {"in": "label", "at": 1}, {"in": "label", "label": 1}, {"in": "label", "label": 2, "at": "start"}, {"in": "label", "at": 2}, {"in": "own-label"}, {"in": "own-label", "before": 1},
                  {"in": "path"}, {"in": "query", "key": "t"}):
        rows.append(row(recipe(place=place)))
    for uri in ("coaps://192.0.2.1:5684/a/", "coaps://bs.myserver.com/a?x=1", "coaps://[::1]"):
        rows.append(row(recipe(place={"in": "path"}, token=token("base64url", first=11)), uri=uri))
        rows.append(row(recipe(place={"in": "query", "key": "t"}, token=token("base64url", all=True)), uri=uri))
    label, own = {"in": "label"}, {"in": "own-label"}
    for ep in ({"kind": "endpoint", "inUri": {"place": own, "encoding": "base32"}}, {"kind": "endpoint", "inUri": {"place": label, "encoding": "hex"}},
               {"kind": "endpoint", "inUri": {"place": {"in": "query", "key": "ep"}}}, {"kind": "endpoint", "inUri": {"place": {"in": "path"}}}):
        rows.append(row(recipe(parameters=[ep, TIME])))
        rows.append(row(recipe(parameters=[ep, TIME]), endpoint="A b/ß~!"))
    rows.append(row(recipe(parameters=[{"kind": "endpoint", "inUri": {"place": own}}, TIME]), endpoint="Meter-0017"))
    rows.append(row(recipe(parameters=[EP, {**TIME, "inUri": {"place": own, "encoding": "plain"}}])))
    rows.append(row(recipe(parameters=[EP, {**TIME, "hashed": False, "inUri": {"place": label}}, {"kind": "counter", "inUri": {"place": {"in": "path"}}}]), counter=5))
    rows.append(row(recipe(parameters=[EP, {"kind": "random", "length": 4, "hashed": False, "inUri": {"place": {"in": "label", "at": "start"}}}]), instant=None, counter=2))
    rows.append(row(recipe(parameters=[EP, TIME]), uri="coaps://bs.myserver.com/{endpoint}/{time}"))
    rows.append(row(recipe(parameters=[{"kind": "endpoint", "inUri": {"place": label, "encoding": "base32"}}, TIME]), uri="coaps://{token}.d{endpoint}-{time}.myserver.com"))
    rows.append(row(BERTH_1, uri="coaps://" + "b" * 47 + ".myserver.com"))
    rows.append(row(BERTH_1, uri="coap://" + ".".join(["bs", "a" * 63, "b" * 63, "c" * 63, "d" * 34, "ee"])))
    rows.append(row(BERTH_1, uri="coaps://bs.myserver.com/" + "p" * (255 - 24 - 16)))
    return [{"source": "own: python3 hashlib and hmac", **r, **name(r)} for r in rows]


def errors():
    hashed = {"kind": "endpoint", "inUri": {"place": {"in": "label"}}}
    cases = [
        ("invalid-input", row(recipe(version=2))),
        ("invalid-input", row(recipe(function="md5"))),
        ("invalid-input", row(recipe(tokn=1))),
        ("invalid-input", row(recipe(combine={"order": "secret-first"}))),
        ("invalid-input", row(recipe(allowWeakSecret=True))),
        ("invalid-input", row(recipe(NI_3, allowWeakSecret="yes"))),
        ("invalid-input", row(recipe(options={"length": 64}))),
        ("invalid-input", row(recipe(function="hkdf-sha-256", options={"length": 8161}))),
        ("invalid-input", row(recipe(token={"encoding": "base32"}))),
        ("invalid-input", row(recipe(token=token("base32", first=3, last=3)))),
        ("invalid-input", row(recipe(token=token("base64", first=3)))),
        ("invalid-input", row(recipe(token=token("hex", first=65)))),
        ("invalid-input", row(recipe(token=token("base32", positions=[52])))),
        ("invalid-input", row(recipe(token=token("base32", positions=[1, 1])))),
        ("invalid-input", row(recipe(NI_3, function="sha-256-32", token=token("decimal", last=11)))),
        ("invalid-input", row(recipe(parameters=[EP, EP]))),
        ("invalid-input", row(recipe(parameters=[{"kind": "time"}]))),
        ("invalid-input", row(recipe(parameters=[{"kind": "time", "unit": 0}]))),
        ("invalid-input", row(recipe(parameters=[{"kind": "time", "unit": 1.5}]))),
        ("invalid-input", row(recipe(parameters=[{"kind": "endpoint", "hashed": False}]))),
        ("invalid-input", row(recipe(lookAhead=3))),
        ("invalid-input", row(recipe(nameKey={"info": "x", "length": 15}))),
        ("invalid-input", row(recipe(place={"in": "query", "key": "a=b"}))),
        ("weak-secret", row(NI_3, secret="00" * 15)),
        ("weak-secret", row(recipe(NI_3, allowWeakSecret=False), secret="00" * 15)),
        ("weak-secret", row(recipe(NI_3, nameKey={"info": "x"}), secret="00" * 15)),
        ("weak-secret", row(BERTH_1, secret="")),
        ("weak-secret", row(recipe(NI_3, allowWeakSecret=True), secret="")),
        ("parameter-missing", row(BERTH_1, instant=None)),
        ("parameter-missing", row(BERTH_1, endpoint="")),
        ("parameter-missing", row(recipe(parameters=[{"kind": "counter"}]))),
        ("parameter-missing", row(recipe(parameters=[{"kind": "random"}]))),
        ("parameter-missing", row(recipe(parameters=[{"kind": "counter"}]), counter=-1)),
        ("parameter-missing", row(recipe(parameters=[{"kind": "counter"}]), counter=2**53)),
        ("combine-offset", row(recipe(NI_3, combine={"order": "parameters-in-secret", "offset": 17}))),
        ("combine-offset", row(recipe(NI_3, combine={"order": "secret-in-parameters", "offset": 21}))),
    ]
    for uri in ("bs.myserver.com", "coaps:bs.myserver.com", "coaps://", "coaps://:5684", "coaps://user@bs.myserver.com", "coaps://bs.myserver.com#x", "coaps://bs.myserver.com:0", "coaps://bs.myserver.com:65536",
                "coaps://bs.myserver.com:", "coaps://bs.myserver.com:x", "coaps://bs.myserver.com/a b", "coaps://bs.myserver.com/%zz", "coaps://bs.myserver.com/%ff", "coaps://bs.myserver.com/é", "coaps://bs{tokn}.myserver.com",
                "coaps://bs{counter}.myserver.com", "coaps://[::1", ""):
        cases.append(("static-uri-invalid", row(BERTH_1, uri=uri)))
    for uri in ("coaps://192.0.2.1", "coaps://[2001:db8::1]:5684", "coaps://192.0.2.{token}"):
        cases.append(("placement-impossible", row(BERTH_1, uri=uri)))
    cases += [
        ("placement-impossible", row(recipe(token=token("base64url", first=8)))),
        ("placement-impossible", row(recipe(place={"in": "label", "label": 3}))),
        ("placement-impossible", row(recipe(place={"in": "own-label", "before": 4}))),
        ("placement-impossible", row(recipe(place={"in": "label", "at": 3}))),
        ("name-invalid", row(BERTH_1, uri="coaps://bs..com")),
        ("name-invalid", row(BERTH_1, uri="coaps://bs.myserver.com.")),
        ("name-invalid", row(BERTH_1, uri="coaps://b_s.myserver.com")),
        ("name-invalid", row(BERTH_1, uri="coaps://bs.-my.com")),
        ("name-invalid", row(BERTH_1, uri="coaps://bé.myserver.com")),
        ("name-invalid", row(BERTH_1, uri="coaps://b%73.myserver.com")),
        ("name-invalid", row(BERTH_1, uri="coaps://bs.myserver.42")),
        ("name-invalid", row(BERTH_1, uri="coaps://bs.{token}")),
        ("name-invalid", row(BERTH_1, uri="coaps://bs-.-{token}.com")),
        ("name-invalid", row(BERTH_1, uri="coaps://" + "b" * 48 + ".myserver.com")),
        ("name-invalid", row(BERTH_1, uri="coap://" + ".".join(["bs", "a" * 63, "b" * 63, "c" * 63, "d" * 35, "ee"]))),
        ("name-invalid", row(BERTH_1, uri="coaps://bs.myserver.com/" + "p" * (256 - 24 - 16))),
        ("name-invalid", row(recipe(token=token("hex", all=True)))),
        ("name-invalid", row(recipe(parameters=[hashed]))),
        ("name-invalid", row(recipe(parameters=[hashed]), endpoint="e" * 64)),
        ("name-invalid", row(recipe(parameters=[hashed]), endpoint="ends-")),
        ("name-invalid", row(recipe(parameters=[{**TIME, "inUri": {"place": {"in": "own-label"}}}]), instant=-7200_000)),
        ("name-invalid", row(recipe(parameters=[{"kind": "endpoint", "inUri": {"place": {"in": "path"}}}]), endpoint="e" * 256)),
    ]
    return [{"source": "own: docs/naming.md", **r, "code": code} for code, r in cases]


if __name__ == "__main__":
    lists = {"functions": rfc_functions(), "encodings": encodings(), "tokens": tokens(), "epochs": epochs(), "liveEpochs": live_epochs(), "names": names(), "errors": errors()}
    text = ",\n".join(f'  "{key}": [\n' + ",\n".join("    " + json.dumps(r, ensure_ascii=False) for r in rows) + "\n  ]" for key, rows in lists.items())
    about = "Vectors of docs/naming.md, where the format is described. Written by test/naming/vectors.py."
    path = pathlib.Path(__file__).parents[2] / "vectors" / "naming.json"
    path.write_text(f'{{\n  "about": {json.dumps(about)},\n{text}\n}}\n', encoding="utf-8")
    print(f"{path.name}: " + ", ".join(f"{len(rows)} {key}" for key, rows in lists.items()))
