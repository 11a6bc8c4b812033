"""The money-safety protocol under every fault: the real parts between a simulated world and a simulated AWS.

One process is one delivery. Everything it reads or writes outside itself passes a ``Gate``, where the plan
of a schedule (or a random number) decides what goes wrong there. After every step the invariants of
``tests.simulation.invariants`` are checked against the provider's own books.
"""
