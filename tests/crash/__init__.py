"""The crash suite: no acknowledged vote is lost or counted twice, whatever is killed.

Voters vote on two replicas while processes and servers die, polls close and days turn
(`voters`, `faults`, `admins`). What each of them was told is in the `journal`; the `checks`
hold it against the ballots, counters, snapshots and answers that are there afterwards. That they
see what they are there for, they show on databases and apps that are `broken`.
"""
