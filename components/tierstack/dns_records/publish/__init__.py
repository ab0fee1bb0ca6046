"""Publishing the records of a zone at a DNS host: what may change, and the hosts that it is told to.

`args` says where, `plan` decides what may be done (pure), `hosts` does it through octoDNS, `rfc2136` is octoDNS's
provider for one's own name server made safe against other writers, `endpoint` writes for external-dns instead.
"""
