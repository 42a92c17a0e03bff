"""llmitm's capture in a mitmdump or mitmweb of your own: `mitmdump -s mitmdump_script.py`, with the options and the limits
that docs/plain-mitmdump.md tells."""

from addons.pipeline import pipeline
from addons.proxy import make_parts
from intelligence.config import load_config
from intelligence.store.journal_writer import JournalWriter

config = load_config()
addons = pipeline(make_parts(config, JournalWriter(config.data_dir / "journal")))
