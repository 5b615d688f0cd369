"""The core of the prober under a simulated world: no sockets, no asyncio, no waiting.

What is real: ledger, sights, schedule, limits, detector, baselines and incidents. What is
simulated: time (`agenda`), the mail servers with their faults (`world`, `fault`), and what the
engine does between the two (`prober`): it launches a probe at each slot, tells the core of each
phase, attempt, arrival, DSN and search in the engine's order, ticks, and sends the confirmation
probes that the detector wishes. A kill and a new start go through what the journal would hold
(`archive`).

    run = Simulation(Grid(1, 3, 1), Climate(), seed=7)
    run.world.strike(Fault(Component(Kind.NODE, "a", "a1"), Ill.HOLD, start=60.0))
    run.until(120.0)
    run.diary.told  # every incident that opened, changed or closed, with the moment

Simulated time begins at 0 and is what really passes; the prober's timeline is ahead of it by the
Unix time of `simulation.EPOCH`, and by what the wall clock was set to when it was last started.

Everything follows from the seed. Ticks are left out while there is nothing to decide: that this
changes nothing is a test of its own (`test_pace`).

- `matrix`: every grid up to 4 x 4 x 5 with every single fault: is the right component named?
- `days`: healthy ones with restarts, stalls, steps of the clock: is nothing confirmed?
- `several`: two faults at once, rolling restarts, a dead mailbox: is true what is named?
- `cost`: what the detector takes of a core with 1,000 routes.

`make simulate` runs all of it, over all cores; the tests here run a seeded part.
"""
