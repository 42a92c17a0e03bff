"""Raw sockets on both sides of the proxy, and the real processes in between.

What libraries hide is what these tests are about, so both ends are written here: an upstream (`upstream`,
`h2_peer`) that keeps each request byte for byte and answers by script, and a client (`client`, `h2_peer`)
that sends given bytes and keeps what arrives, piece by piece. `framings` holds the exchanges, `compare` plays them
and compares, `processes` starts the product as a user does, `faulty` with a part of it broken.
Used by `tests/e2e` and `tests/bench`.
"""
