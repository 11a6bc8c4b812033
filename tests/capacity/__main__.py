"""`make capacity`: compute the tables of docs/capacity.md and the bill in docs/performance.md anew."""

import contextlib
import io

from bench.bill import with_bill
from tests.capacity.document import BILL, PATH, counted, generated
from tests.unit.rig import running_rig

with contextlib.redirect_stdout(io.StringIO()), running_rig() as rig:  # the functions' log
    plan = generated(PATH.read_text(encoding="utf-8"), rig)
    usage = counted(rig)
usage.save()
PATH.write_text(plan, encoding="utf-8")
BILL.write_text(with_bill(BILL.read_text(encoding="utf-8"), usage), encoding="utf-8")
