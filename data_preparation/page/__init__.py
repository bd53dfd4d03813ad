"""Makes self-contained HTML pages: one file, no network, readable with and without JavaScript."""
