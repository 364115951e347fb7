#!/usr/bin/env python3
"""Verifies a Holdfast ledger, or an export of one, with nothing of Holdfast: Python 3.11's standard library alone.

    python verify_holdfast_ledger.py PATH --key ledger.pub [--witness FILE] [--witness-key witness.pub] [--json]

PATH is a state folder, its state.db, or what `holdfast ledger export` wrote. Exit code 0: whole and unchanged. 1: not,
and the first bad record is named. 2: path or key can't be read. What it checks is in docs/design/ledger.md. Get the public key
from the gate's owner by another way than the ledger, or this shows nothing.
"""

import argparse
import base64
import binascii
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

APPLICATION_ID = 0x484F4C44
FIELDS = {"seq", "at_ns", "kind", "label", "body"}
EXPORT = "holdfast export/1"
DASH = "\u2014 "
ED25519, COSIGNATURE = b"\x01", b"\x04"  # signature types of c2sp.org/signed-note and c2sp.org/tlog-cosignature
LEVEL = 8  # inner hashes of every eighth level are stored
encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Bad(Exception):
    def __init__(self, code, detail, first_bad=None, between=None):
        super().__init__(detail)
        self.told = {"verified": False, "code": code, "detail": detail, "first_bad": first_bad, "between": between}


# Ed25519 (RFC 8032 section 5.1), to verify only
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    """Twisted Edwards addition in extended coordinates (x, y, z, t)."""
    one, two = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    three, four = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    found = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point = add(point, point)
        scalar >>= 1
    return found


def point_of(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        raise ValueError("not a point of the curve")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed(public, message, signature):
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        return False
    s = int.from_bytes(signature[32:], "little")
    try:
        key, r = point_of(public), point_of(signature[:32])
    except ValueError:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little")
    left, right = times(s, BASE), add(r, times(h % L, key))
    return not (left[0] * right[2] - right[0] * left[2]) % P and not (left[1] * right[2] - right[1] * left[2]) % P


class Key:
    def __init__(self, line, kind):
        self.name, _, rest = line.strip().partition("+")
        key_id, _, coded = rest.partition("+")
        blob = base64.b64decode(coded, validate=True)
        self.id = hashlib.sha256(self.name.encode() + b"\n" + blob).digest()[:4]
        if len(blob) != 33 or blob[:1] != kind or not self.name or self.id.hex() != key_id.lower():
            raise ValueError("not a key line name+id+base64 whose id fits")
        self.kind, self.raw = kind, blob[1:]

    def signed(self, checkpoint):
        """Whether a signature line of the note is this key's, and good; other lines are others' concern."""
        for line in checkpoint["note"][len(checkpoint["text"]) + 1 :].split("\n"):
            name, _, coded = line.removeprefix(DASH).rpartition(" ")
            try:
                blob = base64.b64decode(coded, validate=True)
            except (binascii.Error, ValueError):
                continue
            message, signature = checkpoint["text"].encode(), blob[4:]
            if self.kind == COSIGNATURE:
                message = f"cosignature/v1\ntime {int.from_bytes(blob[4:12], 'big')}\n".encode() + message
                signature = blob[12:]
            if line.startswith(DASH) and name == self.name and blob[:4] == self.id and signed(self.raw, message, signature):
                return True
        return False


def parse(note):
    text, blank, _ = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or not all(lines) or len(note.encode()) > 4096:
        raise ValueError("origin, size and root are missing, or it is too long")
    size, root = int(lines[1]), base64.b64decode(lines[2], validate=True)
    if str(size) != lines[1] or size < 0 or len(root) != 32:
        raise ValueError("size or root is not in its one form")
    return {"origin": lines[0], "size": size, "root": root, "text": text + "\n", "note": note}


def genuine(note, key, name):
    try:
        checkpoint = parse(note if isinstance(note, str) else "")
    except ValueError as error:
        raise Bad("ledger.checkpoint", f"{name} is damaged: {error}") from None
    if checkpoint["origin"] != key.name:
        raise Bad("ledger.key", f"{name} is of {checkpoint['origin']!r}, the key of {key.name!r}")
    if not key.signed(checkpoint):
        raise Bad("ledger.checkpoint", f"{name} is not signed by this key")
    return checkpoint


def notes_in(path):
    """Notes that follow one another: each ends where the next line is not a signature any more."""
    note = []
    for line in path.read_bytes().decode(errors="replace").splitlines(keepends=True):
        if note and note[-1].startswith(DASH) and not line.startswith(DASH):
            yield "".join(note)
            note = []
        note.append(line)
    if note:
        yield "".join(note)


class Tree:
    """RFC 9162 section 2.1: the complete subtrees, largest first, and the inner hashes that are stored."""

    def __init__(self):
        self.size, self.peaks, self.inner, self.signed, self.ahead = 0, [], {}, 0, []

    def begin(self, checkpoints):
        if not checkpoints:
            raise Bad("ledger.unsigned", "there is no checkpoint: nothing shows that these records are the ones that were written")
        self.ahead = sorted(checkpoints, key=lambda c: -c["size"])
        self.settle()

    def append(self, top):
        left, level = self.size, 0
        while left & 1:
            top = hashlib.sha256(b"\x01" + self.peaks.pop() + top).digest()
            left, level = left >> 1, level + 1
            if level % LEVEL == 0:
                self.inner[level, left] = top
        self.peaks.append(top)
        self.size += 1
        if self.ahead and self.ahead[-1]["size"] == self.size:
            self.settle()

    def root(self):
        top = self.peaks[-1] if self.peaks else hashlib.sha256(b"").digest()
        for peak in reversed(self.peaks[:-1]):
            top = hashlib.sha256(b"\x01" + peak + top).digest()
        return top

    def settle(self):
        while self.ahead and self.ahead[-1]["size"] == self.size:
            checkpoint = self.ahead.pop()
            if checkpoint["root"] != self.root():
                detail = f"records {self.signed + 1} to {self.size} don't have the root that the checkpoint at {self.size} signs"
                raise Bad("ledger.rewritten", detail, between=[self.signed, self.size])
            self.signed = self.size

    def done(self):
        if self.ahead:
            detail = f"a checkpoint signs {self.ahead[0]['size']} records, {self.size} are here"
            raise Bad("ledger.truncated", detail, first_bad=self.size + 1)


def form(seq, leaf):
    try:
        text = leaf.decode()
        value = json.loads(text)
        same = encode(value) == text
    except (ValueError, RecursionError):
        raise Bad("ledger.form", f"record {seq} is not JSON in UTF-8", first_bad=seq) from None
    if not same or not isinstance(value, dict) or value.keys() != FIELDS:
        raise Bad("ledger.form", f"record {seq} is not in canonical form", first_bad=seq)
    if type(value["seq"]) is not int or value["seq"] != seq:
        raise Bad("ledger.order", f"in the place of record {seq} stands one that calls itself {value['seq']}", first_bad=seq)


def verify_state(file, key, notes, tree):
    with tempfile.TemporaryDirectory() as folder, closing(connect(file, Path(folder))) as db:
        db.execute("PRAGMA trusted_schema=0")
        db.execute("PRAGMA cell_size_check=1")
        if db.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise Bad("state.foreign", f"{file}: not a Holdfast state file", first_bad=1)
        db.execute("BEGIN")
        beside = file.with_name("checkpoints")
        if file.name == "state.db" and beside.exists():
            notes = [*notes_in(beside), *notes]
        found = []
        for size, note in db.execute("SELECT size, note FROM checkpoint ORDER BY size"):
            found.append(genuine(note, key, f"the checkpoint at {size}"))
            if found[-1]["size"] != size:
                raise Bad("ledger.checkpoint", f"the checkpoint at {size} signs another number of records: it was moved")
        known = {checkpoint["note"] for checkpoint in found}
        found += [genuine(note, key, "a note kept beside the file") for note in dict.fromkeys(notes) if note not in known]
        tree.begin(found)
        for row_seq, leaf, stored in db.execute("SELECT seq, bytes, hash FROM leaf ORDER BY seq"):
            seq = tree.size + 1
            if row_seq != seq:
                raise Bad("ledger.gap", f"record {seq} is missing; the next one is {row_seq}", first_bad=seq)
            if not isinstance(leaf, bytes):
                raise Bad("ledger.form", f"record {seq} holds no bytes", first_bad=seq)
            hashed = hashlib.sha256(b"\x00" + leaf).digest()
            if hashed != stored:
                raise Bad("ledger.leaf", f"record {seq} was changed: its bytes don't have its hash", first_bad=seq)
            form(seq, leaf)
            tree.append(hashed)
        tree.done()
        if {(level, idx): node for level, idx, node in db.execute("SELECT level, idx, hash FROM node")} != tree.inner:
            raise Bad("ledger.node", "the stored inner hashes are not those that follow from the records")


def connect(file, folder):
    """Only to read; what a killed gate left is read in a copy, so that nothing beside the evidence changes."""
    wal, mode = file.with_name(file.name + "-wal"), "immutable=1"
    try:
        with file.with_name("state.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # a gate runs
        mode = "mode=ro"
    except OSError:
        pass
    if mode == "immutable=1" and wal.exists() and wal.stat().st_size:
        file, wal, mode = Path(shutil.copy(file, folder)), shutil.copy(wal, folder), "mode=ro"
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?{mode}", uri=True, isolation_level=None)


def verify_export(file, key, notes, tree):
    with file.open("rb") as lines:
        header = json.loads(lines.readline())
        if header.get("form") != EXPORT:
            raise Bad("state.foreign", f"{file}: neither a state file nor an export", first_bad=1)
        checkpoint = genuine(header["checkpoint"], key, "the checkpoint of the export")
        tree.begin([checkpoint, *(genuine(note, key, "a witness's note") for note in notes)])
        for line in lines:
            seq, line = tree.size + 1, line.removesuffix(b"\n")
            if line.startswith(b"{"):
                form(seq, line)
                tree.append(hashlib.sha256(b"\x00" + line).digest())
            elif len(line) == 64 and line == line.lower() and not set(line) - set(b"0123456789abcdef"):
                tree.append(bytes.fromhex(line.decode()))
            else:
                raise Bad("ledger.form", f"record {seq} is neither a record nor a hash", first_bad=seq)
        tree.done()


def judged(path, key, notes):
    tree = Tree()
    file = path / "state.db" if path.is_dir() else path
    told = {"verified": True, "code": "ledger.whole", "detail": "", "first_bad": None, "between": None}
    try:
        with file.open("rb") as opened:
            database = opened.read(16) == b"SQLite format 3\x00"
        (verify_state if database else verify_export)(file, key, notes, tree)
    except Bad as bad:
        told |= bad.told
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError, RecursionError) as error:
        told |= Bad("state.foreign", f"can't be read as a ledger ({error})", tree.size + 1).told
    return told | {"records": tree.size, "signed": tree.signed, "root": tree.root().hex()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--witness", type=Path, help="checkpoints that a witness kept")
    parser.add_argument("--witness-key", type=Path, help="demand this witness's signature on each of them")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        key = Key(given.key.read_text(encoding="utf-8"), ED25519)
        notes = list(notes_in(given.witness)) if given.witness else []
        if given.witness_key:
            cosigner = Key(given.witness_key.read_text(encoding="utf-8"), COSIGNATURE)
            if not all(cosigner.signed(parse(note)) for note in notes):
                raise ValueError(f"{given.witness}: a note is not signed by this witness")
        os.stat(given.path)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    told = judged(given.path, key, notes)
    lines = [
        "verified" if told["verified"] else "NOT verified",
        *(f"{name}: {value}" for name, value in told.items() if name != "verified"),
    ]
    sys.stdout.write((json.dumps({"path": str(given.path), **told}) if given.json else "\n".join(lines)) + "\n")
    sys.exit(0 if told["verified"] else 1)


if __name__ == "__main__":
    main()
