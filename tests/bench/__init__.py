"""`make bench`: what llmitm costs, as ratios to bare mitmdump in the same run. `rows` says what is measured
and how.

The proxies run on one core; the load generator (`load`) and the provider (`upstream`) on another, both uvloop
and hand-written HTTP, so that the proxy is what limits. Rounds alternate between the candidates and every
ratio is taken inside a round, for the machine may be shared and slow down at any moment.
"""
