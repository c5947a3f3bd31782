"""The wire contract, walked over HTTP as the public site and the admin portal would use it.

`python -m tests.contract --base URL --key KEY` asks any server, and knows nothing of its code. It
may run against a server in use: what it makes has names of its own and is deleted at the end, but
for some empty categories, for which the API has no delete.
"""
