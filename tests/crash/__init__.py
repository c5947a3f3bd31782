"""The crash suite: no acknowledged vote is lost or counted twice, whatever is killed.

Voters vote on two replicas while processes and servers die, polls close and days turn
(`voters`, `accidents`, `office`). What each of them was told is in the `journal`; the `verdict`
holds it against the ballots, counters, snapshots and answers that are there afterwards. That it
sees what it is there for, it shows on databases and apps that are `broken`.
"""
