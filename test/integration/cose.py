# Verifies the signature of a bundle with pycose (PyPI), which is independent of our code:
# `cose.py BUNDLE PUBLIC_KEY_HEX`. Prints the key id.
import sys

import cbor2
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import P256, Ed25519
from pycose.messages import Sign1Message

bundle = open(sys.argv[1], "rb").read()
raw = bytes.fromhex(sys.argv[2])
at, length = (int.from_bytes(bundle[-32 + i : -28 + i], "little") for i in (16, 20))
trailer = cbor2.loads(bundle[at : at + length])
protected, unprotected, payload, signature = cbor2.loads(trailer["signature"])
assert payload is None
message = Sign1Message.from_cose_obj(
    [protected, unprotected, trailer["manifest"], signature], allow_unknown_attributes=False
)
message.key = OKPKey(crv=Ed25519, x=raw) if len(raw) == 32 else EC2Key(crv=P256, x=raw[1:33], y=raw[33:])
assert message.verify_signature(), "the signature does not verify"
manifest = cbor2.loads(trailer["manifest"])
print(unprotected[4].hex(), manifest["counter"])
