#!/usr/bin/env python3
"""Writes crates/contacts/data/number_zones.txt from the Python package `phonenumbers`.

    python3 -m venv /tmp/zones && /tmp/zones/bin/pip install phonenumbers
    /tmp/zones/bin/python contrib/zones/generate.py > crates/contacts/data/number_zones.txt

The package carries libphonenumber's map from number prefixes to time zones unchanged. One line per prefix:
the first digits of the E.164 number, a space, the zones' names with commas between. A prefix whose zones are
all unknown is left out.
"""

import importlib.metadata

from phonenumbers.tzdata import TIMEZONE_DATA

UNKNOWN = "Etc/Unknown"

HEADER = """\
# Time zones of telephone numbers by the first digits of the E.164 number; the longest prefix counts.
# Source: libphonenumber's time zone map, taken from the Python package phonenumbers {version}
#         by contrib/zones/generate.py. Do not edit.
# Copyright (C) The Libphonenumber Authors, licensed under the Apache License, Version 2.0
#         (http://www.apache.org/licenses/LICENSE-2.0); see NOTICE beside this file."""


def main():
    print(HEADER.format(version=importlib.metadata.version("phonenumbers")))
    for prefix in sorted(TIMEZONE_DATA):
        zones = sorted(set(TIMEZONE_DATA[prefix]) - {UNKNOWN})
        if zones:
            print(prefix, ",".join(zones))


if __name__ == "__main__":
    main()
