"""Content that means harm: what a prompt, a tool's result, a name or Markdown could hold. Each line of `MARKDOWN` was thought of
as a way to run, load or go somewhere; the browser decides in `test_browser_hostile` whether it is one."""

from __future__ import annotations

ELSEWHERE = "http://elsewhere.example"

MARKDOWN = f"""
<script>document.title='owned'</script>
<img src=x onerror="document.title='owned'">
<svg onload="document.title='owned'"><style>@import '{ELSEWHERE}/a.css'</style></svg>
<iframe srcdoc="<script>parent.document.title='owned'</script>"></iframe>
<meta http-equiv="refresh" content="0;url={ELSEWHERE}/meta"><base href="{ELSEWHERE}/">
<form action="{ELSEWHERE}"><button autofocus>x</button></form><details open ontoggle="document.title='owned'">

![load]({ELSEWHERE}/a.png) ![load][ref] ![d](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImRvY3VtZW50LnRpdGxlPSdvd25lZCciLz4=)
![d](data:text/html;base64,PHNjcmlwdD4=) ![q]({ELSEWHERE}/a.png"onerror="document.title='owned')
[a](javascript:document.title='owned') [b](JaVaScRiPt:document.title='owned') [c](java&#x73;cript:document.title='owned')
[d](data:text/html,<script>document.title='owned'</script>) [e](vbscript:x) [f](file:///etc/passwd) [g](//elsewhere.example/x)
[h](/-/logout) [i](\x01javascript:document.title='owned') [j]({ELSEWHERE}/"onmouseover="document.title='owned')
<javascript:alert(1)>
[![nested]({ELSEWHERE}/b.png)](javascript:document.title='owned')

[ref]: {ELSEWHERE}/ref.png "title' onerror='document.title=1"

```"><script>document.title='owned'</script>
</code></pre><script>document.title='owned'</script>
```

```html
<script>document.title='owned'</script><!-- --><img src={ELSEWHERE}/c.png>
```

| <script>document.title='owned'</script> | `</td><img src=x onerror=document.title='owned'>` |
|:-:|-|
| ![x]({ELSEWHERE}/d.png) | {{{{7*7}}}} {{% raw %}} ${{7*7}} |

# <img src=x onerror="document.title='owned'">

\u202egnp.exe\u202c \x00 \x1b]8;;{ELSEWHERE}\x07click\x1b]8;;\x07
"""
