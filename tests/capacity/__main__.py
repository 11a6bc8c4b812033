"""`make capacity`: compute the tables of docs/capacity.md anew."""

import contextlib
import io

from tests.capacity.document import PATH, generated

with contextlib.redirect_stdout(io.StringIO()):  # the functions' log
    document = generated(PATH.read_text(encoding="utf-8"))
PATH.write_text(document, encoding="utf-8")
